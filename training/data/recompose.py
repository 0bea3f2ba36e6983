"""People who never were: the upper part of one and the lower part of another, dressed in other colours.

Identities are what a small network lacks most. A teacher of embeddings has something to say of any crop, so new people
can be made of the known ones.
"""

from __future__ import annotations

import cv2
import numpy as np

WAIST = (0.42, 0.58)  # where two people are joined, as a part of their height
DYED = 0.5  # probability that a part gets another hue


def recompose(upper: np.ndarray, lower: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Join the upper part of one crop with the lower part of another, in the size of the first.

    Args:
        upper, lower: [H, W, 3] uint8 BGR.
        rng: random numbers.
    """
    height, width = upper.shape[:2]
    lower = cv2.resize(lower, (width, height), interpolation=cv2.INTER_LINEAR)
    upper, lower = (_dyed(part, rng) if rng.random() < DYED else part for part in (upper, lower))
    waist = height * rng.uniform(*WAIST)
    # over a few rows the one becomes the other
    share = ((np.arange(height) - waist) / max(height * 0.05, 1) + 0.5).clip(0, 1)[:, None, None]
    return (upper * (1 - share) + lower * share).astype(np.uint8)


def _dyed(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    hsv = cv2.cvtColor(image, cv2.COLOR_BGR2HSV)
    hsv[:, :, 0] = (hsv[:, :, 0].astype(np.int32) + int(rng.integers(20, 160))) % 180
    return cv2.cvtColor(hsv, cv2.COLOR_HSV2BGR)
