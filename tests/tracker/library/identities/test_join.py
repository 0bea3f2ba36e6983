"""One number over several cameras."""

import csv
import itertools

import numpy as np
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.tracker.library.identities.runs import write_run
from tracker.errors import OptionError, SourceError
from tracker.library.identities.join import cluster, join
from tracker.sinks.mot_text import read_table

NOON = "2026-11-27T12:00:00+00:00"


def people_of(result):
    with result.files["people"].open(newline="") as file:
        return {(row["camera"], int(row["id"])): int(row["global_id"]) for row in csv.DictReader(file)}


@pytest.fixture
def two(tmp_path):
    """Person 11 and 12 in both cameras, 13 and 14 in one each."""
    write_run(tmp_path / "a", "door", {1: (11, 1, 50), 2: (12, 10, 60), 3: (13, 70, 90)}, pictures=[1])
    write_run(tmp_path / "b", "hall", {1: (12, 1, 50), 2: (14, 20, 40), 3: (11, 100, 150)})
    return tmp_path


def test_a_person_has_one_number_in_all_cameras(two):
    result = join([two / "a", two / "b"])
    assert people_of(result) == {
        ("door", 1): 1, ("hall", 3): 1, ("hall", 1): 2, ("door", 2): 2, ("hall", 2): 3, ("door", 3): 4,
    }  # fmt: skip
    assert (result.people, result.sightings, result.in_several) == (4, 6, 2)
    table = read_table(two / "b" / "mot_results" / "hall_global.txt")
    before = read_table(two / "b" / "mot_results" / "hall.txt")
    np.testing.assert_array_equal(table[:, 2:], before[:, 2:])
    assert {(old, new) for old, new in zip(before[:, 1], table[:, 1])} == {(1, 2), (2, 3), (3, 1)}
    page = result.files["sheet"].read_text()
    assert page.count("data:image/jpeg") == 1
    assert "<script" not in page
    assert "4 people in 2 cameras, 2 of them in several" in str(result)


def test_the_order_of_cameras_does_not_matter(two):
    expected = people_of(join([two / "a", two / "b"]))
    assert people_of(join([two / "b", two / "a"], output_dir=two)) == expected


def test_one_camera_keeps_its_people(tmp_path):
    write_run(tmp_path, "door", {1: (11, 1, 50), 2: (12, 10, 60), 3: (11, 70, 90)})
    assert people_of(join([tmp_path])) == {("door", 1): 1, ("door", 2): 2, ("door", 3): 3}


def test_one_person_and_people_without_views(tmp_path):
    write_run(tmp_path / "a", "door", {1: (11, 1, 50)})
    assert people_of(join([tmp_path / "a"])) == {("door", 1): 1}
    write_run(tmp_path / "b", "hall", {1: (11, 1, 50)})
    assert people_of(join([tmp_path / "a", tmp_path / "b"])) == {("door", 1): 1, ("hall", 1): 1}
    write_run(tmp_path / "b", "hall", {1: (11, 1, 50), 5: (11, 60, 70)}, unknown=[1, 5])
    assert people_of(join([tmp_path / "a", tmp_path / "b"])) == {("door", 1): 1, ("hall", 1): 2, ("hall", 5): 3}


def test_twins_seen_at_once_stay_two(tmp_path):
    write_run(tmp_path / "a", "door", {1: (11, 1, 50), 2: (11, 1, 50)})
    write_run(tmp_path / "b", "hall", {1: (11, 60, 90)})
    numbers = people_of(join([tmp_path / "a", tmp_path / "b"]))
    assert numbers["door", 1] != numbers["door", 2]


def test_nobody_is_quicker_than_the_way(tmp_path):
    write_run(tmp_path / "a", "door", {1: (11, 1, 50)}, NOON)
    write_run(tmp_path / "b", "hall", {1: (11, 100, 150)}, NOON)
    file = tmp_path / "cameras.yml"
    for seconds, people in ((4, 1), (6, 2)):
        file.write_text(yaml.safe_dump({"travel": [{"between": ["door", "hall"], "seconds": seconds}]}))
        assert join([tmp_path / "a", tmp_path / "b"], file).people == people
    later = {"cameras": {"hall": {"start": "2026-11-27T12:00:05+00:00"}}}
    file.write_text(yaml.safe_dump({**later, "travel": [{"between": ["hall", "door"], "seconds": 6}]}))
    assert join([tmp_path / "a", tmp_path / "b"], file).people == 1


def test_who_stands_elsewhere_on_the_floor_is_somebody_else(tmp_path):
    write_run(tmp_path / "a", "door", {1: (11, 1, 50, 100, 200)}, NOON)
    write_run(tmp_path / "b", "hall", {1: (11, 1, 50, 400, 200), 2: (11, 60, 90, 400, 200)}, NOON)
    corners = [[0, 0], [1, 0], [1, 1], [0, 1]]
    file = tmp_path / "cameras.yml"
    for moved, together in ((300 / 64, True), (0, False)):  # metres by which the floors differ
        metres = [[10 * x, 7.5 * y] for x, y in corners]
        other = [[x - moved, y] for x, y in metres]
        planes = {"door": {"plane": {"points": corners, "metres": metres}},
                  "hall": {"plane": {"points": corners, "metres": other}}}  # fmt: skip
        file.write_text(yaml.safe_dump({"cameras": planes}))
        numbers = people_of(join([tmp_path / "a", tmp_path / "b"], file))
        assert (numbers["door", 1] == numbers["hall", 1]) == together


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("cameras: {roof: {start: 2026-11-27T12:00:00}}", "no camera 'roof', only door, hall"),
        ("cameras: {door: {colour: red}}", "known are start, plane"),
        ("cameras: {door: {start: noon}}", "start must be"),
        ("travel: [{between: [door], seconds: 3}]", "between"),
        ("travel: [{between: [door, hall], seconds: -3}]", "seconds must be"),
        ("distance: 0", "distance must be"),
        ("lanes: 3", "unknown entry 'lanes'"),
        ("travel: 3", "travel must be a list"),
    ],
)
def test_what_is_no_file_of_cameras_is_told(two, text, message):
    (two / "cameras.yml").write_text(text)
    with pytest.raises(OptionError, match=message) as caught:
        join([two / "a", two / "b"], two / "cameras.yml")
    assert "cameras.yml" in str(caught.value)
    assert not (two / "a" / "people_global.csv").exists()


def test_what_cannot_be_joined_is_told(two):
    with pytest.raises(OptionError, match="save_embeddings"):
        join([two])
    write_run(two / "c", "roof", {1: (11, 1, 50)}, model="other")
    with pytest.raises(OptionError, match="network and other cannot be compared"):
        join([two / "a", two / "c"])
    (two / "b" / "mot_results" / "hall_run.json").unlink()
    with pytest.raises(SourceError, match="hall_run"):
        join([two / "a", two / "b"])


def test_two_recordings_of_one_name_are_called_by_their_folders(tmp_path):
    write_run(tmp_path / "a", "door", {1: (11, 1, 50)})
    write_run(tmp_path / "b", "door", {1: (12, 1, 50)})
    assert set(people_of(join([tmp_path / "a", tmp_path / "b"]))) == {("a/door", 1), ("b/door", 1)}


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0, 10_000), count=st.integers(2, 25), threshold=st.floats(-0.5, 0.99))
def test_nobody_who_cannot_be_one_is_put_together(seed, count, threshold):
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(count, 3))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    never = rng.random((count, count)) < 0.3
    never = (never | never.T) & ~np.eye(count, dtype=bool)
    alike = vectors @ vectors.T
    groups = cluster(alike, never, threshold)
    for one, other in itertools.combinations(range(count), 2):
        if groups[one] == groups[other]:
            assert not never[one, other]
            assert alike[one, other] >= threshold - 1e-9
