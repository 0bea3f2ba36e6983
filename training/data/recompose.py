"""New people: the upper part of one person and the lower part of another, in changed colours.

A small network needs many identities above all. A teacher gives an embedding for any crop, so new people can be made of
known ones.
"""

from __future__ import annotations

import cv2
import numpy as np

WAIST = (0.42, 0.58)  # range of the height at which two people are joined, from the top, as a part of the whole
DYED = 0.5  # probability that a part gets another hue


def recompose(upper: np.ndarray, lower: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Join the upper part of one crop with the lower part of another, in the size of the first.

    Args:
        upper: [H, W, 3] uint8 BGR, crop of the upper part.
        lower: [H', W', 3] uint8 BGR, crop of the lower part.
        rng: Random number generator.

    Returns:
        [H, W, 3] uint8 BGR.
    """
    height, width = upper.shape[:2]
    lower = cv2.resize(lower, (width, height), interpolation=cv2.INTER_LINEAR)
    upper, lower = (_dyed(part, rng) if rng.random() < DYED else part for part in (upper, lower))
    waist = height * rng.uniform(*WAIST)
    # blend over a few rows
    share = ((np.arange(height) - waist) / max(height * 0.05, 1) + 0.5).clip(0, 1)[:, None, None]
    return (upper * (1 - share) + lower * share).astype(np.uint8)


def _dyed(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    hsv = cv2.cvtColor(image, cv2.COLOR_BGR2HSV)
    hsv[:, :, 0] = (hsv[:, :, 0].astype(np.int32) + int(rng.integers(20, 160))) % 180
    return cv2.cvtColor(hsv, cv2.COLOR_HSV2BGR)
