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
