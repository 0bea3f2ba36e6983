"""Decoding of raw maps: boxes against the formula cell by cell, NMS and gathered rows against independent ones."""

import math
import warnings

import cv2
import numpy as np
import pytest
import scipy.signal
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers.fake_models import WHOLE, candidates_at, model_config
from tracker.detection.decode import Decoder, decode_boxes, gather_rows, non_maximum_suppression, vote
from tracker.detection.letterbox import Letterbox, LetterboxedImage
from tracker.settings.model import Thresholds


@pytest.fixture(autouse=True)
def warnings_are_errors():
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        yield


def limits(nms=0.5, nms_top_k=1000, keep_top_k=1000):
    return Thresholds(score=0.0, nms=nms, nms_top_k=nms_top_k, keep_top_k=keep_top_k, high_conf_thres=0.0)


def boxes_cell_by_cell(maps, config):
    """(score, level, anchor, row, column, box) of every cell, in plain Python."""
    made = []
    for index, (level, raw) in enumerate(zip(config.levels, maps)):
        s = level.stride
        for a, (width, height) in enumerate(level.anchors):
            pw, ph = width / s, height / s
            for y in range(raw.shape[2]):
                for x in range(raw.shape[3]):
                    dx, dy, dw, dh, no, yes = (float(v) for v in raw[0, 6 * a : 6 * a + 6, y, x])
                    cx, cy = (pw * dx + x) * s, (ph * dy + y) * s
                    w, h = pw * math.exp(dw) * s, ph * math.exp(dh) * s
                    top = max(no, yes)
                    score = math.exp(yes - top) / (math.exp(no - top) + math.exp(yes - top))
                    box = (cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2)
                    made.append((score, index, a, y, x, box))
    return made


LEVEL = st.tuples(
    st.sampled_from([4, 8, 16, 32]),
    st.lists(st.tuples(st.floats(1, 300, width=32), st.floats(1, 300, width=32)), min_size=1, max_size=4),
    st.integers(1, 5),
    st.integers(1, 5),
)


@settings(max_examples=80, deadline=None)
@given(
    levels=st.lists(LEVEL, min_size=1, max_size=3, unique_by=lambda level: level[0]),
    threshold=st.sampled_from([0.0, 1e-6, 0.1, 0.5, 0.9, 1.0]),
    extreme=st.sampled_from([0.0, 10.0, 1e3, 1e37]),
    seed=st.integers(0, 2**32 - 1),
)
def test_boxes_equal_the_formula(levels, threshold, extreme, seed):
    config = model_config([(stride, anchors) for stride, anchors, _, _ in levels])
    random = np.random.default_rng(seed)
    maps = []
    for _, anchors, height, width in levels:
        raw = random.normal(0, 3, (1, len(anchors), 6, height, width)).astype(np.float32)
        raw[:, :, 4:] *= np.where(random.random(raw[:, :, 4:].shape) < 0.3, max(extreme, 1), 1).astype(np.float32)
        maps.append(raw.reshape(1, -1, height, width))
    found = decode_boxes(maps, config, threshold)
    rows = boxes_cell_by_cell(maps, config)
    # a score that is the threshold but for rounding may be on either side
    sure = [row for row in rows if row[0] > threshold + 1e-5 or (threshold == 0 and row[0] > 0)]
    possible = [row for row in rows if row[0] > threshold - 1e-5]
    assert len(sure) <= len(found.scores) <= len(possible) * (threshold < 1)
    where = {}
    for score, level, _, y, x, box in possible:
        where.setdefault((level, y, x), []).append((*box, score))
    order = []
    for box, score, level, y, x in zip(*vars(found).values()):
        expected = np.array(where[level, y, x])
        near = np.abs(expected[:, :4] - box).max(axis=1)
        best = near.argmin()
        size = np.abs(expected[best, :4]).max()
        assert near[best] <= 1e-4 + 1e-5 * size
        assert abs(expected[best, 4] - score) < 1e-5
        order.append((level, y, x))
    assert [key[0] for key in order] == sorted(key[0] for key in order)  # level after level
    if threshold == 0:
        assert len(found.scores) == len(rows)


def test_cells_of_each_anchor_come_row_by_row():
    config = model_config([(32, [(32, 32)]), (16, [(16, 16), (20, 40)])])
    maps = [np.zeros((1, 6, 1, 2), np.float32), np.zeros((1, 12, 2, 2), np.float32)]
    found = decode_boxes(maps, config, 0.0)
    assert found.level.tolist() == [0] * 2 + [1] * 8
    assert found.row.tolist() == [0, 0] + [0, 0, 1, 1] * 2
    assert found.column.tolist() == [0, 1] * 5
    assert (found.boxes[:, 2] - found.boxes[:, 0]).tolist() == [32] * 2 + [16] * 4 + [20] * 4
    assert (found.boxes[:, 3] - found.boxes[:, 1]).tolist() == [32] * 2 + [16] * 4 + [40] * 4
    assert found.scores.tolist() == [0.5] * 10


@pytest.mark.parametrize("threshold", [0.0, 0.5])
def test_sizes_beyond_float32_stay_finite(threshold):
    config = model_config([(8, [(8, 8)])])
    raw = np.zeros((1, 6, 1, 3), np.float32)
    raw[0, 2:4, 0] = [[-1e30, 88, 1e30], [1e5, -1e5, 0]]
    raw[0, 5] = 1
    found = decode_boxes([raw], config, threshold)
    assert len(found.scores) == 3 and np.isfinite(found.boxes).all()
    raw[0, 5, 0, 1] = np.nan  # a cell of no known score is none
    assert decode_boxes([raw], config, threshold).column.tolist() == [0, 2]


def slow_nms(boxes, scores, nms, nms_top_k, keep_top_k):
    order = sorted(range(len(scores)), key=lambda i: -scores[i])[:nms_top_k]
    kept = []
    for i in order:
        if len(kept) < keep_top_k and all(iou(boxes[i], boxes[j]) <= nms for j in kept):
            kept.append(i)
    return kept


def iou(a, b):  # two boxes without area are taken for one
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    overlap = max(width, 0) * max(height, 0)
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - overlap
    return overlap / union if union else 1.0


# corners on few places and few different scores: boxes that coincide, touch, hold each other, or have no area
SIDE = st.tuples(st.integers(0, 12), st.integers(0, 12)).map(sorted)
BOX = st.tuples(SIDE, SIDE, st.sampled_from([0.1, 0.5, 0.9]))


@settings(max_examples=200, deadline=None)
@given(
    table=st.lists(BOX, max_size=25),
    nms=st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0]),
    nms_top_k=st.sampled_from([1, 3, 100]),
    keep_top_k=st.sampled_from([1, 3, 100]),
)
def test_nms_equals_the_plain_one(table, nms, nms_top_k, keep_top_k):
    boxes = np.array([(x[0], y[0], x[1], y[1]) for x, y, _ in table], np.float64).reshape(-1, 4)
    scores = np.array([score for *_, score in table])
    kept = non_maximum_suppression(boxes, scores, limits(nms, nms_top_k, keep_top_k))
    assert kept.tolist() == slow_nms(boxes, scores, nms, nms_top_k, keep_top_k)


def slow_vote(boxes, scores, kept, least):
    ballots = [[] for _ in kept]
    for box, score in zip(boxes, scores):
        # a box covers its last pixel too
        overlaps = [iou([*boxes[i, :2], *(boxes[i, 2:] + 1)], [*box[:2], *(box[2:] + 1)]) for i in kept]
        for ballot, overlap in zip(ballots, overlaps):
            if overlap >= least and overlap == max(overlaps):
                ballot.append((score, box))
    return [
        np.average([box for _, box in ballot], axis=0, weights=[score for score, _ in ballot]) for ballot in ballots
    ]


@settings(max_examples=200, deadline=None)
@given(
    table=st.lists(BOX, max_size=25), nms=st.sampled_from([0.25, 0.5, 0.75]), least=st.sampled_from([0.1501, 0.5501])
)
def test_vote_equals_the_plain_one(table, nms, least):
    # in tens of pixels: the pixel more that a box covers is little
    boxes = 10 * np.array([(x[0], y[0], x[1], y[1]) for x, y, _ in table], np.float32).reshape(-1, 4)
    scores = np.array([score for *_, score in table], np.float32)
    kept = non_maximum_suppression(boxes, scores, limits(nms))
    expected = np.reshape(slow_vote(boxes.astype(float), scores, kept.tolist(), least), (-1, 4))
    np.testing.assert_allclose(vote(boxes, scores, kept, least), expected, atol=1e-3)
    np.testing.assert_array_equal(vote(boxes, scores, kept, 1.0), boxes[kept])


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    people=st.integers(2, 12),
    spread=st.sampled_from([0.02, 0.1, 0.25]),
    least=st.sampled_from([0.0, 0.3, 0.6, 0.9]),
)
def test_crowds_equal_the_plain_ones(seed, people, spread, least):
    """Several cells see each of some people who stand close together, as in the output of a network."""
    random = np.random.default_rng(seed)
    centre, height = random.uniform(100, 300, (people, 2)), random.uniform(20, 250, (people, 1))
    who = random.integers(people, size=10 * people)
    size = height[who] * [0.4, 1] * np.exp(random.normal(0, spread, (len(who), 2)))
    middle = centre[who] + height[who] * [0.4, 1] * random.normal(0, spread, (len(who), 2))
    boxes = np.concatenate([middle - size / 2, middle + size / 2], axis=1).astype(np.float32)
    scores = random.uniform(0.1, 1, len(who)).astype(np.float32)
    kept = non_maximum_suppression(boxes, scores, limits(0.55))
    assert kept.tolist() == slow_nms(boxes.astype(float), scores, 0.55, 1000, 1000)
    expected = slow_vote(boxes.astype(float), scores, kept.tolist(), least)
    np.testing.assert_allclose(vote(boxes, scores, kept, least), expected, atol=1e-3)


def test_a_box_out_of_reach_stays_where_it_is():
    far = np.float32([[1e30, 1e30, 1e30, 1e30], [0, 0, 10, 10]])
    np.testing.assert_array_equal(vote(far, np.float32([0.9, 0.8]), np.array([0, 1]), 0.6), far)


def test_the_vote_of_a_model_is_that_of_its_configuration():
    """Two cells see one person, a tenth of the width apart; the surer one counts for more."""
    people = [((0, 1, 1), (0.5, 0.5, 0, 0), 2.0, (1, 0, 0)), ((0, 1, 2), (-0.4, 0.5, 0, 0), 0.5, (0, 1, 0))]
    levels, found = [(32, [(32, 32)]), (16, [(16, 16)])], {}
    for least in (1.0, 0.6):
        config = model_config(levels, dimension=3, vote=least)
        found[least] = Decoder(config)(handmade(people), WHOLE, np.concatenate, 0.0)
        assert len(found[least]) == 1
    weights = 1 / (1 + np.exp([-2.0, -0.5]))
    moved = weights[1] / weights.sum() * 0.1 * 32
    np.testing.assert_allclose(found[0.6].boxes - found[1.0].boxes, [[moved, 0, moved, 0]], atol=1e-3)


@pytest.mark.parametrize("nms", [0.3, 0.55, 0.8])
def test_nms_equals_opencv(nms):
    random = np.random.default_rng(3)
    corner, size = random.uniform(0, 100, (400, 2)), random.uniform(80, 120, (400, 2))
    boxes = np.concatenate([corner, corner + size], axis=1).astype(np.float32)
    scores = random.random(400).astype(np.float32)
    kept = non_maximum_suppression(boxes, scores, limits(nms))
    rectangles = np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], axis=1).astype(float).tolist()
    assert kept.tolist() == cv2.dnn.NMSBoxes(rectangles, scores.tolist(), 0.0, nms).ravel().tolist()
    assert 5 < len(kept) < 350


def test_nms_of_equal_boxes_keeps_the_first_and_of_none_nothing():
    boxes = np.tile(np.float32([10, 10, 30, 50]), (5, 1))
    assert non_maximum_suppression(boxes, np.full(5, 0.7), limits(0.99)).tolist() == [0]
    empty = non_maximum_suppression(boxes[:0], np.zeros(0), limits())
    assert empty.shape == (0,) and empty.dtype == np.int64


@pytest.mark.parametrize("kernel", [1, 3, 5])
def test_rows_of_a_cell_are_what_a_convolution_reads(kernel):
    random = np.random.default_rng(4)
    feature = random.normal(size=(1, 3, 5, 7)).astype(np.float32)
    weight = random.normal(size=(2, 3, kernel, kernel)).astype(np.float32)
    expected = np.array(
        [sum(scipy.signal.correlate2d(feature[0, c], w[c], mode="same") for c in range(3)) for w in weight]
    )
    row, column = (v.ravel() for v in np.mgrid[:5, :7])  # all cells, those at the border too
    config = model_config([(8, [(8, 8)])], kernel=kernel)
    (rows,), place = gather_rows([feature], candidates_at([0] * 35, row, column), WHOLE, config)
    found = rows[place] @ weight.reshape(2, -1).T
    np.testing.assert_allclose(found, expected[:, row, column].T, atol=1e-4)


@pytest.mark.parametrize("strides", [(32, 16, 8), (8, 16, 32), (16, 32, 8)])
def test_rows_of_mixed_levels_find_their_box(strides):
    config = model_config([(s, [(s, s)]) for s in (32, 16, 8)], strides=strides)
    features = []
    for level, (height, width) in enumerate([(2, 3), (4, 6), (8, 12)]):
        row, column = np.mgrid[:height, :width]
        features.append(np.stack([np.full((height, width), level), row, column])[None].astype(np.float32))
    level, row, column = [2, 0, 1, 2, 0, 2], [7, 1, 3, 0, 0, 4], [11, 2, 5, 0, 1, 3]
    groups, place = gather_rows(features, candidates_at(level, row, column), WHOLE, config)
    assert [len(group) for group in groups] == [{8: 3, 16: 1, 32: 2}[stride] for stride in strides]
    np.testing.assert_array_equal(np.concatenate(groups)[place], np.stack([level, row, column], axis=1))


def test_a_level_without_a_box_gives_an_empty_group():
    config = model_config([(32, [(32, 32)]), (16, [(16, 16)])], kernel=3)
    features = [np.zeros((1, 4, 2, 3), np.float32), np.zeros((1, 2, 4, 6), np.float32)]
    groups, place = gather_rows(features, candidates_at([0], [1], [1]), WHOLE, config)
    assert [group.shape for group in groups] == [(1, 36), (0, 18)] and place.tolist() == [0]


def handmade(people, size=(64, 96)):
    """Outputs of a network of two levels (strides 32, 16) with given logits at (level, row, column): dx, dy, dw, dh."""
    maps = [np.zeros((1, 6, size[0] // s, size[1] // s), np.float32) for s in (32, 16)]
    for raw in maps:
        raw[0, 4] = 8
    features = [np.zeros((1, 3, *raw.shape[2:]), np.float32) for raw in maps]
    for (level, row, column), values, logit, embedding in people:
        maps[level][0, :, row, column] = [*values, 0, logit]
        features[level][0, :, row, column] = embedding
    return [*maps, *features]


def test_decoder_gives_the_people_in_pixels_of_the_image():
    # the groups of rows come in another order than the boxes
    config = model_config([(32, [(32, 32)]), (16, [(16, 16)])], strides=(16, 32), dimension=3)
    # a portrait image in the middle of the input: 32x64 at left 32, a factor 1/2
    pixels, transform = Letterbox(config.letterbox)(np.zeros((128, 64, 3), np.uint8))
    assert (transform.left, transform.width, transform.scale_x) == (32, 32, 0.5)
    half = math.log(0.5)
    outputs = handmade(
        [
            ((1, 1, 2), (0.5, 0.5, 0, 0), 1.0, (0, 3, 4)),  # around (40, 24)
            ((0, 1, 1), (0.25, 0.25, half, 0), 3.0, (2, 0, 0)),  # around (40, 40), 16x32
            ((1, 1, 3), (-0.5, 0.5, 0.01, 0), 0.5, (9, 9, 9)),  # the first one again, weaker
            ((1, 0, 0), (0.0, 0.5, 0, 0), 5.0, (1, 1, 1)),  # in the padding on the left
            ((1, 3, 5), (0.5, 0.5, 0, 0), 5.0, (1, 1, 1)),  # and on the right
            ((1, 2, 2), (-0.1, 0.5, 0, 0), 0.2, (0, 0, 0)),  # cut off by the border of the image
            ((0, 0, 2), (0, 0, 0, 0), -0.1, (1, 1, 1)),  # less than the threshold
        ]
    )
    detections = Decoder(config)(
        outputs, LetterboxedImage(pixels, transform, np.zeros((128, 64, 3), np.uint8)), np.concatenate
    )
    assert len(detections) == 3
    np.testing.assert_allclose(detections.boxes, [[0, 48, 32, 112], [0, 32, 32, 64], [-19.2, 64, 12.8, 96]], atol=1e-4)
    np.testing.assert_allclose(detections.scores, 1 / (1 + np.exp([-3.0, -1.0, -0.2])), atol=1e-6)
    np.testing.assert_allclose(detections.embeddings, [[1, 0, 0], [0, 0.6, 0.8], [0, 0, 0]], atol=1e-6)


@pytest.mark.parametrize(("above", "known"), [(0.0, 3), (0.8, 2), (0.9, 1), (0.99, 0)])
def test_only_detections_above_a_score_get_an_embedding(above, known):
    config = model_config([(32, [(32, 32)]), (16, [(16, 16)])], dimension=3)
    people = [((0, 0, c), (0.5, 0.5, 0, 0), 1.0 + c, (1, 2, 2)) for c in range(3)]
    rows = []

    def embed(groups):
        rows.extend(map(len, groups))
        return np.concatenate(groups)

    found = Decoder(config)(handmade(people), WHOLE, embed, above)
    assert len(found) == 3 and sum(rows) == known
    np.testing.assert_allclose(np.linalg.norm(found.embeddings, axis=1), [1] * known + [0] * (3 - known), atol=1e-6)


def test_decoder_of_an_empty_scene():
    config = model_config([(32, [(32, 32)]), (16, [(16, 16)])], dimension=3)
    detections = Decoder(config)(handmade([]), WHOLE, lambda groups: pytest.fail("nobody is there"))
    assert len(detections) == 0
    assert detections.boxes.shape == (0, 4) and detections.embeddings.shape == (0, 3)


def test_decoder_takes_other_thresholds_than_the_models():
    config = model_config([(32, [(32, 32)]), (16, [(16, 16)])], dimension=3)
    people = [((0, 0, c), (0.5, 0.5, 0, 0), 1.0 + c, (1, 2, 3)) for c in range(3)]

    def found(thresholds):
        return len(Decoder(config, thresholds)(handmade(people), WHOLE, np.concatenate))

    assert found(None) == 3
    assert found(limits(keep_top_k=2)) == 2
    assert found(Thresholds(0.8, 0.5, 100, 100, 0.5)) == 2
