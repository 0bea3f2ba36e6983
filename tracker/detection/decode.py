"""Raw maps of the network to detections: anchors, scores, non-maximum suppression, embeddings of the boxes kept."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ..boxes import box_iou, intersection, jde_iou_distance
from ..settings.model import ModelConfig, Thresholds
from ..structures import Detections
from .crops import read_crops
from .letterbox import LetterboxedImage, LetterboxTransform


@dataclass(frozen=True)
class Candidates:
    """Boxes of one network output, with the cell each came from.

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
        threshold: least score, 0 to 1.
    """
    # softmax over two logits is a sigmoid of their difference: compare before any exponential is taken
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
        # an untrained or broken network may ask for boxes beyond float32
        half_width = width * np.exp(np.minimum(dw, 30)) / 2
        half_height = height * np.exp(np.minimum(dh, 30)) / 2
        boxes = np.stack([x - half_width, y - half_height, x + half_width, y + half_height], axis=1)
        scores = 1 / (1 + np.exp(-np.maximum(margin[which, row, column], -80)))
        parts.append((boxes, scores, np.full(len(scores), index), row, column))
    return Candidates(*(np.concatenate(values) for values in zip(*parts)))


def non_maximum_suppression(boxes: np.ndarray, scores: np.ndarray, thresholds: Thresholds) -> np.ndarray:
    """Keep the best of boxes that overlap by more than an IoU of ``thresholds.nms`` (greedy NMS).

    Args:
        boxes: [N, 4] left, top, right, bottom.
        scores: [N].
        thresholds: ``nms``, ``nms_top_k`` and ``keep_top_k`` are used.

    Returns:
        Indices of the boxes kept, best first; the first of equal scores wins.
    """
    order = np.argsort(-scores, kind="stable")[: int(thresholds.nms_top_k)]
    area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    kept: list[np.int64] = []
    while len(order) and len(kept) < thresholds.keep_top_k:
        best, rest = order[0], order[1:]
        kept.append(best)
        shared = intersection(boxes[best], boxes[rest])
        order = rest[shared <= thresholds.nms * (area[best] + area[rest] - shared)]
    return np.array(kept, dtype=np.int64)


def vote(boxes: np.ndarray, scores: np.ndarray, kept: np.ndarray, least: float) -> np.ndarray:
    """Average each box kept by NMS with all that agree with it (box voting, Gidaris and Komodakis, arXiv 1505.01749).

    Several cells see a person, each a little differently: their mean is steadier than the best of them. Every box votes
    with its score, for the kept one that it overlaps most.

    Args:
        boxes: [N, 4] left, top, right, bottom.
        scores: [N].
        kept: [K] indices of those kept.
        least: IoU from which a box has a vote; from 1 on none but the kept ones have.

    Returns:
        [K, 4] boxes.
    """
    if least >= 1 or not len(kept):
        return boxes[kept]
    # Not box_iou: the published figures were measured with this one, and the boxes would differ in their last digits.
    overlap = 1 - jde_iou_distance(boxes[kept], boxes)
    weight = scores * ((overlap >= least) & (overlap == overlap.max(axis=0)))
    return weight @ boxes / weight.sum(axis=1, keepdims=True)


def gather_rows(
    features: Sequence[np.ndarray], candidates: Candidates, letterboxed: LetterboxedImage, config: ModelConfig
) -> tuple[list[np.ndarray], np.ndarray]:
    """Gather the rows from which the embeddings of some boxes are computed.

    Args:
        features: [1, C, h, w] of each of ``config.feature_strides``.
        candidates: the boxes kept.
        letterboxed: the image; crops are read from it as it was before it was scaled.
        config: says how rows are read.

    Returns:
        The inputs of the embedding graph, one array [K, R] each, and for every candidate its row among all of them.
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
    """Return [K, C * kernel * kernel] patches of [C, h, w] around some cells, zeros beyond its border.

    They are what a convolution with that kernel reads there.
    """
    reach = kernel // 2
    steps = np.arange(-reach, reach + 1)
    rows, columns = row[:, None, None] + steps[:, None], column[:, None, None] + steps
    inside = (rows >= 0) & (rows < feature.shape[1]) & (columns >= 0) & (columns < feature.shape[2])
    patches = feature[:, rows.clip(0, feature.shape[1] - 1), columns.clip(0, feature.shape[2] - 1)] * inside
    return patches.transpose(1, 0, 2, 3).reshape(len(row), len(feature) * kernel * kernel)


@dataclass(frozen=True)
class Decoded:
    """The people found in an image, before their embeddings.

    Attributes:
        boxes: [N, 4] left, top, right, bottom in pixels of the original image, best first.
        candidates: the same boxes in network pixels, with their scores and cells.
    """

    boxes: np.ndarray
    candidates: Candidates


# the embedding graph: its inputs, rows [K_i, R_i] in groups, to embeddings [K, D], K the sum of the K_i
EmbeddingGraph = Callable[[list[np.ndarray]], np.ndarray]


class Decoder:
    """Turns the raw outputs of one model into detections.

    Args:
        config: of the model.
        thresholds: in place of the model's own.
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
        """Find the people of an image, with embeddings; arguments as for ``decode`` and ``embed``."""
        return self.embed(self.decode(raw_outputs, letterboxed), raw_outputs, letterboxed, graph, min_score)

    def decode(self, raw_outputs: Sequence[np.ndarray], letterboxed: LetterboxedImage) -> Decoded:
        """Find the people of an image.

        Args:
            raw_outputs: the detection maps of all levels, then their feature maps.
            letterboxed: the image.
        """
        candidates = decode_boxes(raw_outputs[: len(self.config.levels)], self.config, self.thresholds.score)
        kept = non_maximum_suppression(candidates.boxes, candidates.scores, self.thresholds)
        voted = vote(candidates.boxes, candidates.scores, kept, self.thresholds.vote)
        candidates = dataclasses.replace(candidates.take(kept), boxes=voted)
        boxes = letterboxed.transform.to_image(candidates.boxes)
        height, width = letterboxed.image.shape[:2]
        # what lies in the padding alone is no part of the image
        inside = (boxes[:, :2] < [width, height]).all(axis=1) & (boxes[:, 2:] > 0).all(axis=1)
        return Decoded(boxes[inside], candidates.take(inside))

    def embed(
        self,
        decoded: Decoded,
        raw_outputs: Sequence[np.ndarray],
        letterboxed: LetterboxedImage,
        graph: EmbeddingGraph,
        min_score: float = 0.0,
    ) -> Detections:
        """Add embeddings to the people found.

        Args:
            decoded: what ``decode`` found.
            raw_outputs: the detection maps of all levels, then their feature maps.
            letterboxed: the image.
            graph: the embedding graph.
            min_score: score that a detection must exceed to get an embedding; the others get zeros.
        """
        candidates = decoded.candidates
        embeddings = np.zeros((len(decoded.boxes), self.config.embedding.dimension), np.float32)
        wanted = candidates.scores.astype(np.float64) > min_score  # as exactly as an association may compare
        if wanted.any():
            embeddings[wanted] = self._embeddings(raw_outputs, letterboxed, candidates.take(wanted), graph)
        return Detections(decoded.boxes, candidates.scores, embeddings)

    def embed_boxes(
        self,
        raw_outputs: Sequence[np.ndarray],
        letterboxed: LetterboxedImage,
        boxes: np.ndarray,
        graph: EmbeddingGraph,
    ) -> np.ndarray:
        """Compute embeddings of given boxes, as for detections with these boxes.

        A given box comes from no cell. Where embeddings are read at a box's own cell, it gets the one under its centre,
        of the level whose anchors fit its size best (IoU).

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
        # float32, as decode_boxes gives them: on the border of two cells every bit counts
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
    """Return boxes [N, 4] in network pixels as candidates of score 1, each with a cell.

    That is the one under its centre, which is kept within the image, at the level whose anchors fit its size best.
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
