"""The embeddings of the frame before, for those whom motion alone tells from everybody else.

An embedding costs as much for somebody who walks alone as for two who cross, of whom it has to tell who is who.
"""

from __future__ import annotations

import numpy as np

from ..boxes import box_iou

LEAST_OVERLAP = 0.6  # IoU of somebody's boxes in two successive frames
RIVAL_OVERLAP = 0.2  # IoU with a second box from which one or the other may be the person
RIVAL_SCORE = 0.8  # least score of such a box, as a share of that of an embedding; what is lower is mostly nobody
MOST_FRAMES = 5  # that an embedding counts for; measured in weights/README.md


class EmbeddingMemory:
    """Remembers the people of the last frame of one sequence, with their embeddings.

    Args:
        most: number of successive frames that an embedding may count for, its own included.
    """

    def __init__(self, most: int = MOST_FRAMES) -> None:
        self._most = most
        self._boxes = np.zeros((0, 4))
        self._ages = np.zeros(0, np.int64)  # frames that each embedding has counted for; at most `most`
        self._embeddings = np.zeros((0, 0), np.float32)
        self._near = np.zeros(0, np.int64)

    def recall(self, boxes: np.ndarray, scores: np.ndarray, min_score: float, embeddings: np.ndarray) -> np.ndarray:
        """Fill in the embeddings of those who are without doubt somebody of the frame before.

        That is whoever overlaps one box of the frame before, by much, and no other box of either frame, those included
        whose score is a little too low for an embedding.

        Args:
            boxes: [N, 4] left, top, right, bottom in pixels, the people of this frame.
            scores: [N].
            min_score: that somebody must exceed to have an embedding.
            embeddings: [N, D], to be filled in.

        Returns:
            [N] bool, who has got one.
        """
        near = np.flatnonzero(scores > RIVAL_SCORE * min_score)
        boxes, high, known = boxes[near], scores[near] > min_score, np.zeros(len(boxes), bool)
        ages = np.where(high, 1, self._most)  # nobody's embedding is none to go on with
        if len(self._boxes):
            before, now = box_iou(boxes, self._boxes), box_iou(boxes, boxes)
            same = before.argmax(axis=1)
            sure = high & (before.max(axis=1) > LEAST_OVERLAP) & (self._ages[same] < self._most)
            sure &= ((before > RIVAL_OVERLAP).sum(axis=1) == 1) & ((now > RIVAL_OVERLAP).sum(axis=1) == 1)
            ages[sure] = self._ages[same[sure]] + 1
            known[near[sure]] = True
            embeddings[near[sure]] = self._embeddings[same[sure]]
        self._boxes, self._ages, self._near = boxes, ages, near
        return known

    def keep(self, embeddings: np.ndarray) -> None:
        """Remember the embeddings [N, D] of the frame for which `recall` was called, now that all are there."""
        self._embeddings = embeddings[self._near]
