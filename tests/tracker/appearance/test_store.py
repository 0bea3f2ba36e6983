"""What people look like: which views of somebody are kept, and the file of them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracker.appearance.quality import sight_qualities
from tracker.appearance.store import PeopleWriter, read_people
from tracker.appearance.views import MOST, View, Views
from tracker.errors import SourceError


def unit(seed, dimension=16):
    vector = np.random.default_rng(seed).normal(size=dimension)
    return (vector / np.linalg.norm(vector)).astype(np.float16)


def views(*seeds):
    made = Views()
    for seed in seeds:
        made.add(View(unit(seed), 0.5, frame=seed + 1, seconds=seed / 10, score=0.75, box=(1.0, 2.0, 30.0, 60.0)))
    return made


def test_a_sight_counts_only_if_large_alone_and_whole():
    boxes = np.array([[10, 10, 30, 64], [100, 10, 30, 128], [110, 10, 30, 128], [200, 5, 10, 30], [-1, 300, 30, 100]])
    found = sight_qualities(boxes.astype(float), np.full(5, 0.8), (640, 480))
    assert found == pytest.approx([0.4, 0, 0, 0, 0])
    assert sight_qualities(boxes[4:].astype(float), np.ones(1))[0] > 0, "without a size nobody is cut off"


@settings(max_examples=30, deadline=None)
@given(seeds=st.lists(st.integers(0, 9), min_size=1, max_size=40), qualities=st.randoms(use_true_random=False))
def test_at_most_eight_views_are_kept_and_no_look_is_lost_for_a_repeated_one(seeds, qualities):
    kept = Views()
    for seed in seeds:
        kept.add(View(unit(seed), qualities.random()))
        assert len(kept) <= MOST
    different = len(set(seeds))
    found = {tuple(view.vector.tolist()) for view in kept.kept}
    assert len(found) == min(different, MOST)


def test_of_two_views_that_are_alike_the_better_one_stays():
    kept = views(*range(MOST))
    kept.add(View(unit(3), 0.9))
    assert [view.quality for view in kept.kept if np.array_equal(view.vector, unit(3))] == [0.9]
    kept.add(View(unit(3), 0.2))
    assert [view.quality for view in kept.kept if np.array_equal(view.vector, unit(3))] == [0.9]


def test_the_file_has_who_is_gone_and_who_is_in_sight(tmp_path):
    path = tmp_path / "street_people.npz"
    writer = PeopleWriter(path, "network")
    writer.add(7, views(1, 2))
    writer.write({9: views(3)})
    first = path.read_bytes()
    writer.add(9, views(3, 4))
    writer.write({12: views(5)})
    writer.close()
    people = read_people(path)
    assert people.model == "network"
    assert people.ids.tolist() == [7, 7, 9, 9, 12]
    assert people.frames.tolist() == [2, 3, 4, 5, 6]
    np.testing.assert_allclose(people.vectors, [unit(seed) for seed in (1, 2, 3, 4, 5)])
    np.testing.assert_array_equal(people.of(9).vectors()[1], unit(4))
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]
    path.write_bytes(first)
    assert read_people(path).ids.tolist() == [7, 7, 9]


def test_a_file_without_people_can_be_read(tmp_path):
    writer = PeopleWriter(tmp_path / "a.npz", "network")
    writer.write({})
    assert read_people(tmp_path / "a.npz").vectors.shape == (0, 0)


def stored(**changes):
    columns = {
        "model": np.array("network"),
        "ids": np.array([1, 1]),
        "frames": np.array([1, 2]),
        "seconds": np.zeros(2),
        "scores": np.ones(2, np.float32),
        "qualities": np.ones(2, np.float32),
        "boxes": np.ones((2, 4), np.float32),
        "vectors": np.stack([unit(1), unit(2)]),
    }
    return {name: value for name, value in {**columns, **changes}.items() if value is not None}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"ids": None}, "no array 'ids'"),
        ({"ids": np.array([0, 1])}, "from 1"),
        ({"ids": np.array(1)}, "ids must be of shape"),
        ({"frames": np.array([1.0, 2.0])}, "frames must be numbers"),
        ({"seconds": np.array([0, np.nan])}, "seconds must be finite"),
        ({"boxes": np.ones((2, 3))}, "boxes must be of shape"),
        ({"vectors": np.ones((2, 16), np.float16)}, "length 1"),
        ({"vectors": unit(1)}, "vectors must be of shape"),
        ({"model": np.array(["a", "b"])}, "one word"),
        ({"ids": np.array([None, 1], object)}, "no whole"),
    ],
)
def test_what_is_no_file_of_people_is_told(tmp_path, changes, message):
    path = tmp_path / "a_people.npz"
    np.savez(path, **stored(**changes))
    with pytest.raises(SourceError, match=message) as caught:
        read_people(path)
    assert "\n" not in str(caught.value)
    assert "a_people.npz" in str(caught.value)


def test_a_cut_file_is_told(tmp_path):
    path = tmp_path / "a_people.npz"
    np.savez(path, **stored())
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(SourceError, match="no whole"):
        read_people(path)
    with pytest.raises(SourceError, match="save_embeddings"):
        read_people(tmp_path / "none.npz")
