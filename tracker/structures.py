"""The value that flows from a source to the sinks."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import av


@dataclass(frozen=True)
class Frame:
    """One picture of a sequence.

    Attributes:
        index: position in the source from 0, corrupt frames that were skipped counted in.
        time: seconds since the first frame of the source.
        image: [H, W, 3] uint8, BGR, upright (rotation metadata applied).
        audio: compressed audio packets read since the frame before; empty unless the source was asked for them.
    """

    index: int
    time: float
    image: np.ndarray
    audio: tuple[av.Packet, ...] = field(default=(), repr=False)


@dataclass(frozen=True)
class Detections:
    """The people found in one frame, best first.

    Attributes:
        boxes: [N, 4] left, top, right, bottom in pixels of the original image; who is cut off by its border may reach
            beyond it.
        scores: [N] confidence, 0 to 1.
        embeddings: [N, D] float32, L2-normalised; zeros where none was asked for.
    """

    boxes: np.ndarray
    scores: np.ndarray
    embeddings: np.ndarray

    def __len__(self) -> int:
        return len(self.scores)


@dataclass(frozen=True)
class Tracks:
    """The people in sight in one frame.

    Attributes:
        ids: [N] int64 identities from 1.
        boxes: [N, 4] float64 left, top, width, height in pixels of the original image; parts may lie outside of it.
        scores: [N] float64 confidence of the detection, 0 to 1.
        embeddings: [N, D] float32 appearance of the tracks so far, L2-normalised; None where nobody needs it.
    """

    ids: np.ndarray
    boxes: np.ndarray
    scores: np.ndarray
    embeddings: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True)
class FrameTracks:
    """One frame of a result.

    Attributes:
        frame: number from 1.
        ids: [N] int64.
        boxes: [N, 4] left, top, width, height in pixels of the original image.
        scores: [N].
    """

    frame: int
    ids: np.ndarray
    boxes: np.ndarray
    scores: np.ndarray

    def __len__(self) -> int:
        return len(self.ids)
