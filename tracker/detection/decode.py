"""From raw outputs of the network to detections: anchors, scores, non-maximum suppression, embeddings."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from ..boxes import box_iou, ltrb_to_ltwh, overlapping, paired_iou
from ..settings.model import ModelConfig, Thresholds
from ..structures import Detections
from .crops import read_crops
from .embedding_memory import EmbeddingMemory
from .letterbox import LetterboxedImage, LetterboxTransform


@dataclass(frozen=True)
class Candidates:
    """Boxes decoded from the raw outputs of an image, with the cell of each.

    Attributes:
        boxes: [N, 4] left, top, right, bottom in network pixels.
        scores: [N].
        level: [N] index of the detection level.
        row, column: [N] cell of that level.
    """

    boxes: np.ndarray
    scores: np.ndarray
    level: np.ndarray
    row: np.ndarray
    column: np.ndarray

    def take(self, which: np.ndarray) -> Candidates:
        """Return the candidates of the given indices."""
        return Candidates(*(values[which] for values in vars(self).values()))


def decode_boxes(maps: Sequence[np.ndarray], config: ModelConfig, threshold: float) -> Candidates:
    """Decode the boxes of all levels with a score above the threshold (JDEBox).

    In units of a level's stride s and with an anchor (pw, ph) = anchor / s: the centre is (pw dx + x, ph dy + y), the
    size (pw exp(dw), ph exp(dh)); the score is the softmax of the two confidence logits, second entry.

    Args:
        maps: per level [1, A * 6, h, w]: dx, dy, dw, dh and two logits of each anchor.
        config: the model's strides and anchors.
        threshold: score, 0 to 1, that a box must exceed.
    """
    # the softmax of two logits is the sigmoid of their difference: comparing logits saves most exponentials
    least = -math.inf if threshold <= 0 else math.inf if threshold >= 1 else math.log(threshold / (1 - threshold))
    parts = []
    for index, (level, raw) in enumerate(zip(config.levels, maps)):
        anchors = np.array(level.anchors, dtype=np.float32)
        cells = raw[0].reshape(len(anchors), 6, *raw.shape[2:])
        margin = cells[:, 5] - cells[:, 4]
        which, row, column = np.nonzero(margin > least)
        dx, dy, dw, dh = cells[which, :4, row, column].T
        width, height = anchors[which].T
        x = width * dx + column.astype(np.float32) * level.stride
        y = height * dy + row.astype(np.float32) * level.stride
        # bounded, because the sizes from an untrained network may overflow float32
        half_width = width * np.exp(np.minimum(dw, 30)) / 2
        half_height = height * np.exp(np.minimum(dh, 30)) / 2
        boxes = np.stack([x - half_width, y - half_height, x + half_width, y + half_height], axis=1)
        scores = 1 / (1 + np.exp(-np.maximum(margin[which, row, column], -80)))
        parts.append((boxes, scores, np.full(len(scores), index), row, column))
    return Candidates(*(np.concatenate(values) for values in zip(*parts)))


def non_maximum_suppression(boxes: np.ndarray, scores: np.ndarray, thresholds: Thresholds) -> np.ndarray:
    """Keep the best of boxes that overlap by more than an IoU of ``thresholds.nms`` (greedy NMS).

    Of boxes without area only one is kept.

    Args:
        boxes: [N, 4] left, top, right, bottom.
        scores: [N], above 0.
        thresholds: ``nms``, ``nms_top_k`` and ``keep_top_k`` are used.

    Returns:
        Indices of the boxes kept, best first; the first of equal scores wins.
    """
    if not len(scores):
        return np.zeros(0, np.int64)
    rectangles = ltrb_to_ltwh(boxes.astype(np.float64)).tolist()  # OpenCV takes lists faster than arrays
    kept = cv2.dnn.NMSBoxes(rectangles, scores.tolist(), 0.0, thresholds.nms, top_k=int(thresholds.nms_top_k))
    return np.asarray(kept, dtype=np.int64).reshape(-1)[: int(thresholds.keep_top_k)]


def vote(boxes: np.ndarray, scores: np.ndarray, kept: np.ndarray, least: float) -> np.ndarray:
    """Average each box kept by NMS with all that agree with it (box voting, Gidaris and Komodakis, arXiv 1505.01749).

    Several cells detect the same person with slightly different boxes, whose mean is more stable than the best of them.
    Each box counts, with its score as weight, towards the kept box that it overlaps most.

    Args:
        boxes: [N, 4] left, top, right, bottom.
        scores: [N].
        kept: [K] indices of those kept.
        least: IoU with the kept box from which a box counts; 1 or more leaves the kept boxes as they are.

    Returns:
        [K, 4] boxes.
    """
    if least >= 1 or not len(kept):
        return boxes[kept]
    covered = boxes + np.array([0, 0, 1, 1], boxes.dtype)  # a box covers its last pixel too
    one, other = _agreeing(covered[kept], covered, least)
    overlap = paired_iou(covered[kept[one]], covered[other])
    most = np.zeros(len(boxes), overlap.dtype)
    np.maximum.at(most, other, overlap)
    counts = (overlap >= least) & (overlap == most[other])
    one, other = one[counts], other[counts]
    weight = scores[other].astype(np.float64)
    total = np.bincount(one, weight, len(kept))[:, None]
    sums = np.stack([np.bincount(one, weight * side, len(kept)) for side in boxes[other].T], axis=1)
    # a box so far away that a pixel more is lost in rounding agrees with none, not even itself
    return np.divide(sums, total, out=boxes[kept].astype(np.float64), where=total > 0).astype(boxes.dtype)


def _agreeing(boxes_a: np.ndarray, boxes_b: np.ndarray, least: float) -> tuple[np.ndarray, np.ndarray]:
    """Find the pairs of boxes whose IoU may be `least` or more: all of them, and few others.

    Along either axis the two share at least that part of their union. So their centres are no further apart than half
    the sum of their sides, times (1 - least) / (1 + least): made smaller by that factor, they still overlap.

    Args:
        boxes_a: [N, 4] left, top, right, bottom.
        boxes_b: [M, 4] likewise.
        least: IoU, 0 to 1.

    Returns:
        [P] indices into boxes_a, ascending, and [P] indices into boxes_b.
    """
    factor = (1 - least) / (1 + least) + 0.01  # a little more, so that rounding loses none

    def smaller(boxes: np.ndarray) -> np.ndarray:
        centre, half = (boxes[:, 2:] + boxes[:, :2]) / 2, (boxes[:, 2:] - boxes[:, :2]) / 2 * factor
        return np.concatenate([centre - half, centre + half], axis=1)

    return overlapping(smaller(boxes_a), smaller(boxes_b))


def gather_rows(
    features: Sequence[np.ndarray], candidates: Candidates, letterboxed: LetterboxedImage, config: ModelConfig
) -> tuple[list[np.ndarray], np.ndarray]:
    """Gather the inputs of the embedding graph for some boxes.

    Args:
        features: [1, C, h, w] of each of ``config.feature_strides``.
        candidates: the boxes kept.
        letterboxed: the image; crops are taken from the original image, before scaling.
        config: whether the graph reads features or crops, and of which size.

    Returns:
        The inputs, arrays [K_i, R_i], and [N] the row of every candidate in their concatenation.
    """
    if config.embedding.read == "crop":
        boxes = letterboxed.transform.to_image(candidates.boxes)
        rows = read_crops(letterboxed.image, boxes, config.embedding.grid, config.letterbox.color)
        return [rows], np.arange(len(boxes))

    by_stride = {stride: feature[0] for stride, feature in zip(config.feature_strides, features)}
    groups, members = [], []
    for stride in config.embedding.strides:
        level = [item.stride for item in config.levels].index(stride)
        mine = np.flatnonzero(candidates.level == level)
        rows = _patches(by_stride[stride], candidates.row[mine], candidates.column[mine], config.embedding.kernel)
        groups.append(rows)
        members.append(mine)
    order = np.empty(len(candidates.scores), dtype=np.int64)
    order[np.concatenate(members)] = np.arange(len(order))
    return groups, order


def _patches(feature: np.ndarray, row: np.ndarray, column: np.ndarray, kernel: int) -> np.ndarray:
    """Return the patches [K, C * kernel * kernel] of [C, h, w] around some cells, with zeros beyond the border.

    They are the inputs of a convolution with that kernel at these cells.
    """
    reach = kernel // 2
    steps = np.arange(-reach, reach + 1)
    rows, columns = row[:, None, None] + steps[:, None], column[:, None, None] + steps
    inside = (rows >= 0) & (rows < feature.shape[1]) & (columns >= 0) & (columns < feature.shape[2])
    patches = feature[:, rows.clip(0, feature.shape[1] - 1), columns.clip(0, feature.shape[2] - 1)] * inside
    return patches.transpose(1, 0, 2, 3).reshape(len(row), len(feature) * kernel * kernel)


@dataclass(frozen=True)
class Decoded:
    """The people detected in an image, before their embeddings are computed.

    Attributes:
        boxes: [N, 4] left, top, right, bottom in pixels of the original image, best first.
        candidates: the same boxes in network pixels, with their scores and cells.
    """

    boxes: np.ndarray
    candidates: Candidates


# maps the inputs of the embedding graph, arrays [K_i, R_i], to embeddings [K, D], where K is the sum of the K_i
EmbeddingGraph = Callable[[list[np.ndarray]], np.ndarray]


class Decoder:
    """Turns the raw outputs of one model into detections.

    Args:
        config: configuration of the model.
        thresholds: thresholds in place of the model's own.
    """

    def __init__(self, config: ModelConfig, thresholds: Thresholds | None = None) -> None:
        self.config = config
        self.thresholds = thresholds or config.thresholds

    def __call__(
        self,
        raw_outputs: Sequence[np.ndarray],
        letterboxed: LetterboxedImage,
        graph: EmbeddingGraph,
        min_score: float = 0.0,
    ) -> Detections:
        """Detect the people in an image, with embeddings: `decode` and `embed` in one call."""
        return self.embed(self.decode(raw_outputs, letterboxed), raw_outputs, letterboxed, graph, min_score)

    def decode(self, raw_outputs: Sequence[np.ndarray], letterboxed: LetterboxedImage) -> Decoded:
        """Detect the people in an image, without embeddings.

        Args:
            raw_outputs: the detection maps of all levels, then their feature maps.
            letterboxed: the image.

        Returns:
            The people detected.
        """
        candidates = decode_boxes(raw_outputs[: len(self.config.levels)], self.config, self.thresholds.score)
        kept = non_maximum_suppression(candidates.boxes, candidates.scores, self.thresholds)
        voted = vote(candidates.boxes, candidates.scores, kept, self.thresholds.vote)
        candidates = dataclasses.replace(candidates.take(kept), boxes=voted)
        boxes = letterboxed.transform.to_image(candidates.boxes)
        height, width = letterboxed.image.shape[:2]
        # boxes in the padding are no detections
        inside = (boxes[:, :2] < [width, height]).all(axis=1) & (boxes[:, 2:] > 0).all(axis=1)
        return Decoded(boxes[inside], candidates.take(inside))

    def embed(
        self,
        decoded: Decoded,
        raw_outputs: Sequence[np.ndarray],
        letterboxed: LetterboxedImage,
        graph: EmbeddingGraph,
        min_score: float = 0.0,
        memory: EmbeddingMemory | None = None,
    ) -> Detections:
        """Compute the embeddings of the people detected.

        Args:
            decoded: the people detected by `decode`.
            raw_outputs: the detection maps of all levels, then their feature maps.
            letterboxed: the image.
            graph: the embedding graph.
            min_score: score that a detection must exceed to get an embedding; the others get zeros.
            memory: the people of the frame before, whose embeddings may do; None to compute all of them.

        Returns:
            The people detected, with embeddings.
        """
        candidates = decoded.candidates
        embeddings = np.zeros((len(decoded.boxes), self.config.embedding.dimension), np.float32)
        scores = candidates.scores.astype(np.float64)  # as associations compare
        wanted = scores > min_score
        if memory:
            wanted &= ~memory.recall(decoded.boxes, scores, min_score, embeddings)
        if wanted.any():
            embeddings[wanted] = self._embeddings(raw_outputs, letterboxed, candidates.take(wanted), graph)
        if memory:
            memory.keep(embeddings)
        return Detections(decoded.boxes, candidates.scores, embeddings)

    def embed_boxes(
        self,
        raw_outputs: Sequence[np.ndarray],
        letterboxed: LetterboxedImage,
        boxes: np.ndarray,
        graph: EmbeddingGraph,
    ) -> np.ndarray:
        """Compute embeddings of given boxes, as for detections with these boxes.

        A model that reads embeddings at the cell of a box reads those of a given box at the cell under its centre, on
        the level whose anchors fit its size best (IoU).

        Args:
            raw_outputs: the detection maps of all levels, then their feature maps.
            letterboxed: the image.
            boxes: [N, 4] left, top, right, bottom in pixels of the original image.
            graph: the embedding graph.

        Returns:
            [N, D] float32, L2-normalised.
        """
        if not len(boxes):
            return np.zeros((0, self.config.embedding.dimension), np.float32)
        # float32, as decode_boxes returns them: a box on the border of two cells must get the same cell
        inside = letterboxed.transform.to_network(boxes).astype(np.float32)
        cells = _fitting_cells(inside, letterboxed.transform, self.config)
        return self._embeddings(raw_outputs, letterboxed, cells, graph)

    def _embeddings(
        self,
        raw_outputs: Sequence[np.ndarray],
        letterboxed: LetterboxedImage,
        candidates: Candidates,
        graph: EmbeddingGraph,
    ) -> np.ndarray:
        features = raw_outputs[len(self.config.levels) :]
        inputs, order = gather_rows(features, candidates, letterboxed, self.config)
        embeddings = graph(inputs)[order]
        length = np.linalg.norm(embeddings, axis=1, keepdims=True)
        return embeddings / np.maximum(length, 1e-12)


def _fitting_cells(boxes: np.ndarray, transform: LetterboxTransform, config: ModelConfig) -> Candidates:
    """Return boxes [N, 4] in network pixels as candidates of score 1.

    Their cell is the one under their centre, clipped to the image, on the level whose anchors fit their size best.
    """
    size = np.maximum(boxes[:, 2:] - boxes[:, :2], 0)
    fit = []
    for level in config.levels:
        anchors = np.array(level.anchors, dtype=np.float32)
        fit.append(box_iou(_at_origin(size), _at_origin(anchors)).max(axis=1))
    level = np.argmax(fit, axis=0)
    stride = np.array([item.stride for item in config.levels])[level]
    low = np.array([transform.left, transform.top])
    high = low + np.array([transform.width - 1, transform.height - 1])
    column, row = np.clip((boxes[:, :2] + boxes[:, 2:]) / 2, low, high).astype(np.int64).T // stride
    return Candidates(boxes, np.ones(len(boxes), np.float32), level, row, column)


def _at_origin(sizes: np.ndarray) -> np.ndarray:
    """Return boxes [N, 4] (left, top, right, bottom) of sizes [N, 2] with their left top corner at 0, 0."""
    return np.concatenate([np.zeros_like(sizes), sizes], axis=1)
