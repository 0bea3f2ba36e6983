"""Labels of made-up pictures: what two detectors say, and who is known to be there."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.data.composed import Composed
from training.teachers.pasted import label_composed

SIZE = (100, 200)
BOX = [50, 10, 80, 90]
FAR = [150, 10, 180, 90]


def picture(boxes=(), visible=()):
    return Composed(
        np.zeros((*SIZE, 3), np.uint8), np.array(boxes, np.float32).reshape(-1, 4), np.array(visible, np.float32)
    )


def found(*rows):
    return np.array(rows, np.float32).reshape(-1, 5)


def labels(made, first=(), second=()):
    boxes, ignored = label_composed(made, [found(*first), found(*second)])
    assert boxes.dtype == np.float32 and boxes.shape == (len(ignored), 4) and ignored.dtype == bool
    return [(box, "ignored" if out else "person") for box, out in zip(boxes.round().astype(int).tolist(), ignored)]


@pytest.mark.parametrize(
    ("first", "second", "kind"),
    [
        pytest.param(0.31, 0.31, "person", id="both"),
        pytest.param(0.4, 0.22, "person", id="both, their mean"),
        pytest.param(0.31, 0.25, "ignored", id="both faintly"),
        pytest.param(0.15, 0.15, "ignored", id="both very faintly"),
        pytest.param(0.61, 0, "person", id="one surely"),
        pytest.param(0, 0.61, "person", id="the other surely"),
        pytest.param(0.59, 0, "ignored", id="one"),
        pytest.param(0.31, 0.11, "ignored", id="one, the other below notice"),
        pytest.param(0.29, 0, None, id="one faintly"),
    ],
)
def test_who_is_found(first, second, kind):
    told = labels(picture(), [[*BOX, first]], [[*BOX, second]])
    assert told == ([(BOX, kind)] if kind else [])


def test_somebody_known_to_be_there_needs_less():
    made = picture([BOX, FAR], [1, 0.3])
    assert labels(made, [[*BOX, 0.21]], [[*FAR, 0.21]]) == [(BOX, "person"), (FAR, "person")]
    assert labels(made, [[*BOX, 0.19]], [[*FAR, 0.21]]) == [(FAR, "person"), (BOX, "ignored")]
    beside = [70, 10, 100, 90]
    assert labels(picture([BOX], [1]), [[*beside, 0.5]]) == [(beside, "ignored"), (BOX, "ignored")]


def test_the_teachers_place_the_box():
    seen = [52, 12, 80, 90]
    assert labels(picture([BOX], [1]), [[*seen, 0.5]], [[*seen, 0.5]]) == [(seen, "person")]


def test_who_is_hidden_is_ignored_where_nobody_finds_them():
    assert labels(picture([BOX, FAR], [0.2, 1])) == [(BOX, "ignored"), (FAR, "ignored")]
    assert labels(picture([BOX], [0.05])) == [], "nothing of them is left"
    behind = [54, 10, 84, 90]
    made = picture([behind, BOX], [0.2, 1])
    assert labels(made, [[*BOX, 0.9]]) == [(BOX, "person")], "what is found is who stands in front"
    assert labels(picture([behind], [0.2]), [[*BOX, 0.25]]) == [(BOX, "ignored")], "too little is seen of them"


def test_a_doubtful_box_over_much_of_the_picture_does_not_hide_all_of_it():
    large = [0, 0, 100, 90]
    assert labels(picture(), [[*large, 0.5]]) == []
    assert labels(picture(), [[*large, 0.7]]) == [(large, "person")]


def test_boxes_end_at_the_borders():
    assert labels(picture(), [[-20, 10, 30, 140, 0.9], [210, 10, 240, 90, 0.9]]) == [([0, 10, 30, 100], "person")]


ROWS = st.lists(
    st.tuples(*[st.floats(-50, 250, width=32)] * 2, *[st.floats(1, 150, width=32)] * 2, st.floats(0, 1, width=32)),
    max_size=8,
)


@settings(max_examples=40, deadline=None)
@given(first=ROWS, second=ROWS, visible=st.lists(st.floats(0, 1, width=32), max_size=5))
def test_any_findings_give_boxes_inside(first, second, visible):
    parts = [found(*([x, y, x + w, y + h, score] for x, y, w, h, score in rows)) for rows in (first, second)]
    made = picture([[20 * n, 10, 20 * n + 30, 90] for n in range(len(visible))], visible)
    boxes, ignored = label_composed(made, parts)
    assert ((boxes[:, :2] >= 0) & (boxes[:, 2:] <= SIZE[::-1]) & (boxes[:, 2:] > boxes[:, :2])).all()
    for box, seen in zip(made.boxes, made.visible):
        if seen > 0.25:
            near = np.minimum(boxes[:, 2:], box[2:]) > np.maximum(boxes[:, :2], box[:2])
            assert near.all(axis=1).any(), "somebody to be seen is background"
    assert len(ignored) == len(boxes)
