"""What detectors agree on, beside loops that say the same; and that they are asked once."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers.training.teacher_networks import boxes_detector, yolox
from tracker.errors import OutputError
from training.data.samples import make_sample
from training.settings import TeacherSettings
from training.teachers import detectors
from training.teachers.consensus import BoxTeachers, People, add_people, consensus
from training.teachers.store import AnswerStore, digest

FIRST = [[10, 10, 30, 50, 0.8], [40, 10, 60, 50, 0.6], [70, 10, 90, 50, 0.5]]
SECOND = [[12, 10, 32, 50, 0.4], [40, 12, 60, 52, 0.3], [10, 10, 30, 20, 0.9]]


def iou(a, b):
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    common = max(width, 0) * max(height, 0)
    return common / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - common)


def reference(found):
    """The same in loops: groups as lists of detector and row."""
    rows = [(teacher, row) for teacher, part in enumerate(found) for row in part]
    groups = []
    for teacher, row in sorted(rows, key=lambda item: -item[1][4]):
        fits = [(iou(row, group[0][1]), group) for group in groups if teacher not in [member for member, _ in group]]
        overlap, best = max(fits, key=lambda fit: fit[0], default=(0, None))
        if overlap >= 0.5:
            best.append((teacher, row))
        else:
            groups.append([(teacher, row)])
    boxes = [sum(row[:4] * row[4] for _, row in group) / sum(row[4] for _, row in group) for group in groups]
    return boxes, [np.mean([row[4] for _, row in group]) for group in groups], [len(group) for group in groups]


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 4), st.integers(1, 5))
def test_boxes_of_the_same_people_are_joined(seed, teachers, people):
    random = np.random.default_rng(seed)
    corner = random.uniform(0, 60, (people, 2))
    true = np.hstack([corner, corner + random.uniform(15, 50, (people, 2))])
    found = []
    for _ in range(teachers):
        seen = true[random.random(people) < 0.8]
        boxes = seen + random.uniform(-4, 4, seen.shape)
        found.append(np.float32(np.column_stack([boxes, random.uniform(0.1, 1, len(boxes))])))
    boxes, scores, count = consensus(found)
    expected = reference(found)
    assert count.tolist() == expected[2] and boxes.dtype == scores.dtype == np.float32
    np.testing.assert_allclose(boxes, np.reshape(expected[0], (-1, 4)), rtol=1e-4, atol=1e-3)
    np.testing.assert_allclose(scores, expected[1], rtol=1e-5)


def test_nobody_is_found():
    for found in ([], [np.zeros((0, 5), np.float32)] * 2):
        boxes, scores, count = consensus(found)
        assert boxes.shape == (0, 4) and scores.shape == count.shape == (0,)


def test_of_two_who_overlap_each_keeps_the_nearest():
    first = np.float32([[10, 10, 30, 50, 0.9], [16, 10, 36, 50, 0.8]])
    second = np.float32([[15, 10, 35, 50, 0.7], [9, 10, 29, 50, 0.6]])
    boxes, scores, count = consensus([first, second])
    assert count.tolist() == [2, 2]
    assert scores == pytest.approx([0.75, 0.75])
    assert boxes[:, 0] == pytest.approx([(9 + 5.4) / 1.5, (12.8 + 10.5) / 1.5])


@pytest.fixture
def two(tmp_path):
    return [
        str(boxes_detector(tmp_path / "first.xml", FIRST)),
        f"{boxes_detector(tmp_path / 'second.xml', SECOND, labels=[1, 1, 1])}:1",
    ]


def test_a_person_is_whom_two_find_with_a_sure_mean(two):
    image = np.zeros((64, 96, 3), np.uint8)
    boxes, scores, sure = BoxTeachers(TeacherSettings(boxes=two, sure=0.5, doubtful=0.25), 1)(image)
    # the second one's best box is nobody's to the first one: a head
    assert scores == pytest.approx([0.9, 0.6, 0.45, 0.5], abs=1e-6)
    assert sure.tolist() == [False, True, False, False]
    np.testing.assert_allclose(boxes[1], [10 + 2 / 3, 10, 30 + 2 / 3, 50], atol=1e-4)
    _, scores, sure = BoxTeachers(TeacherSettings(boxes=two, sure=0.45, doubtful=0.35), 1)(image)
    assert scores == pytest.approx([0.9, 0.6, 0.6, 0.5], abs=1e-6), "the doubtful box is nobody's"
    assert sure.tolist() == [False, True, False, False]
    single = BoxTeachers(TeacherSettings(boxes=two[0], sure=0.55, doubtful=0.45), 1)(image)
    assert single.scores == pytest.approx([0.8, 0.6, 0.5]) and single.sure.tolist() == [True, True, False]


def test_a_class_of_yolox(tmp_path):
    rows = np.zeros((1, 126, 7), np.float32)
    rows[0, 12 * 2 + 3] = [0.5, 0.5, np.log(2), np.log(4), 0.9, 0, 0.9]
    people = BoxTeachers(TeacherSettings(boxes=f"{yolox(tmp_path / 'yolox.xml', rows)}:1"), 1)(
        np.zeros((64, 96, 3), np.uint8)
    )
    np.testing.assert_allclose(people.boxes, [[20, 4, 36, 36]], atol=1e-3)
    assert people.scores == pytest.approx([0.81]) and people.sure.tolist() == [True]


def test_each_image_is_asked_about_once(two, tmp_path, monkeypatch):
    asked = []
    ask = detectors.TiledDetector.__call__
    monkeypatch.setattr(
        detectors.TiledDetector, "__call__", lambda self, image: asked.append(image) or ask(self, image)
    )
    dark, light = np.zeros((64, 96, 3), np.uint8), np.ones((64, 96, 3), np.uint8)
    teachers = [
        BoxTeachers(TeacherSettings(boxes=two, sure=sure), 1, cache)
        for sure, cache in ((0.5, None), (0.5, tmp_path / "c"), (0.7, tmp_path / "c"))
    ]
    expected = teachers[0](dark)
    assert len(asked) == 2
    for _ in range(2):
        for kept in teachers[1:]:
            people = kept(dark)
            assert (people.boxes == expected.boxes).all() and (people.scores == expected.scores).all()
    assert len(asked) == 4, "once more each, also for other thresholds"
    teachers[1](light)
    assert len(asked) == 6
    BoxTeachers(TeacherSettings(boxes=two[0], tiles=2), 1, tmp_path / "c")(dark)
    assert len(asked) == 7
    assert len({one.digest for one in teachers}) == 2


def test_digests_tell_questions_apart():
    a = np.arange(6, dtype=np.uint8)
    questions = [(a,), (a.reshape(2, 3),), (a.astype(np.uint16),), (a + 1,), ("a", "bc"), ("ab", "c"), ("abc",), ()]
    assert len({digest(*parts) for parts in questions}) == len(questions)
    assert digest("x", a[::2]) == digest("x", a[::2].copy())


def test_an_interruption_loses_nothing_that_was_answered(tmp_path):
    def interrupted():
        raise KeyboardInterrupt

    store = AnswerStore(tmp_path / "deep" / "answers.sqlite")
    value = np.float32([[1, 2, 3]])
    assert store.answer("first", lambda: value) is value
    with pytest.raises(KeyboardInterrupt):
        store.answer("second", interrupted)
    again = AnswerStore(tmp_path / "deep" / "answers.sqlite")
    kept = again.answer("first", interrupted)
    assert kept.dtype == np.float32 and kept.tolist() == [[1, 2, 3]]
    assert again.answer("second", lambda: np.zeros((0, 5))).shape == (0, 5)


def test_a_damaged_file_costs_one_line(tmp_path):
    path = tmp_path / "answers.sqlite"
    path.write_text("no database " * 1000)
    with pytest.raises(OutputError, match=r"answers\.sqlite \(file is not a database\); if it is damaged, remove it"):
        AnswerStore(path)
    path.unlink()
    store = AnswerStore(path)
    store.answer("question", lambda: np.zeros(3))
    with store._connection:
        store._connection.execute("UPDATE answers SET answer = ?", [b"\x93NUMPY"])
    with pytest.raises(OutputError, match=r"cannot be kept in .*answers\.sqlite"):
        store.answer("question", lambda: np.zeros(3))


@pytest.mark.parametrize(("labelled", "complete"), [(False, False), (True, False), (True, True)])
def test_whom_labels_lack_is_added(labelled, complete):
    """Of four found, the first is labelled, the second is an ignored region, the third is sure, the fourth in doubt."""
    boxes = np.float32([[0, 0, 20, 40], [30, 0, 50, 40], [60, 0, 80, 40], [90, 0, 110, 40]])
    people = People(boxes + 2, np.float32([0.9, 0.8, 0.7, 0.6]), np.array([True, True, True, False]))
    known = 2 if labelled else 0
    sample = make_sample(
        Path("a"), np.zeros((50, 120, 3), np.uint8), boxes[:known], [7, 8][:known], [False, True][:known], labelled
    )
    result = add_people(sample, people, complete)
    assert result.labelled and result.image is sample.image
    np.testing.assert_array_equal(result.boxes, [*boxes[:known], *boxes[known:] + 2])
    assert result.identities.tolist() == ([7, 8, -1, -1] if labelled else [-1] * 4)
    expected = [False, True, not complete, True] if labelled else [False, False, False, True]
    assert result.ignored.tolist() == expected
