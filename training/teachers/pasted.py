"""Who is a person in a made-up picture: whom the teachers find in exactly this picture.

What is pasted is known, and still is no label by itself: who can no longer be made out, in the dark or behind others,
would teach a network to find people in nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tracker.boxes import box_iou
from training.data.composed import Composed
from training.teachers.consensus import consensus

NOTICED = 0.12  # score of one detector below which it found nothing
AGREED = 0.3  # mean score from which two detectors make a person
ALONE = 0.6  # score from which one detector makes a person
DOUBTFUL = 0.3  # score from which what one detector finds is ignored; below it is background
CONFIRMED = 0.2  # mean score from which somebody known to be there is a person
SAME_IOU = 0.5  # from here on what is found is somebody who was pasted
LARGE = 0.3  # share of the picture: what one detector doubtfully finds there is background, not ignored as a whole
SEEN, HIDDEN = 0.25, 0.1  # visible shares: below, a finding is of somebody else; there is nothing to ignore


def find_people(found: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Join what detectors find, and tell who is a person: two agree on it, or one is sure.

    Args:
        found: Of each detector [N, 5] float32, left, top, right, bottom in pixels, score.

    Returns:
        Boxes [G, 4] float32, mean scores [G], the number of detectors [G] that found each, and whether it is a person
        [G] bool.
    """
    boxes, scores, count = consensus([rows[rows[:, 4] > NOTICED] for rows in found])
    return boxes, scores, count, ((count >= 2) & (scores >= AGREED)) | (scores >= ALONE)


def label_composed(picture: Composed, found: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Label a made-up picture.

    A person is whom `find_people` takes for one, and also, from a mean score of .2 on, who was pasted there and can be
    seen. Whatever else two detectors find, or one with a score above .3, is ignored, and so is who was pasted and is
    found by none.

    Args:
        picture: The picture.
        found: What each detector finds in it, [N, 5] float32, left, top, right, bottom in pixels, score.

    Returns:
        Boxes [L, 4] float32, left, top, right, bottom in pixels within the picture, and whether each is ignored [L]
        bool.
    """
    boxes, scores, count, person = find_people(found)
    height, width = picture.image.shape[:2]
    boxes = boxes.clip(0, [width, height, width, height]).astype(np.float32)
    sides = boxes[:, 2:] - boxes[:, :2]
    kept = person | (count >= 2) | ((scores > DOUBTFUL) & (sides.prod(axis=1) <= LARGE * height * width))
    overlap = box_iou(picture.boxes, boxes)
    lost = np.ones(len(picture.boxes), bool)
    for index, row in enumerate(overlap):
        if not len(row) or row.max() <= SAME_IOU:
            continue
        best = row.argmax()
        lost[index], kept[best] = False, True
        person[best] |= picture.visible[index] > SEEN and scores[best] >= CONFIRMED
    kept &= sides.min(axis=1, initial=np.inf) > 0
    lost &= picture.visible > HIDDEN
    ignored = np.concatenate([~person[kept], np.ones(lost.sum(), bool)])
    return np.concatenate([boxes[kept], picture.boxes[lost]]), ignored
