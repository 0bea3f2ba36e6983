"""The values that are passed from a source to the sinks."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import av


@dataclass(frozen=True)
class Frame:
    """One picture of a sequence.

    Attributes:
        index: position in the source from 0, counting also corrupt frames that were skipped.
        time: seconds since the first frame of the source.
        image: [H, W, 3] uint8, BGR, upright (rotation metadata applied).
        audio: compressed audio packets read since the frame before; empty unless the source was asked for them.
        pixel_aspect: width of a pixel over its height; the detector is given the picture with square ones.
        arrived: when a live source brought it, by `time.monotonic`; None where frames do not come in real time.
    """

    index: int
    time: float
    image: np.ndarray
    audio: tuple[av.Packet, ...] = field(default=(), repr=False)
    pixel_aspect: Fraction = Fraction(1)
    arrived: float | None = None


@dataclass(frozen=True)
class Detections:
    """The people detected in one frame, best first.

    Attributes:
        boxes: [N, 4] left, top, right, bottom in pixels of the original image; the box of a person cut off by the
            border may reach beyond it.
        scores: [N] confidence, 0 to 1.
        embeddings: [N, D] float32, L2-normalised; zeros where none was computed. D may be 0.
    """

    boxes: np.ndarray
    scores: np.ndarray
    embeddings: np.ndarray

    @classmethod
    def empty(cls, dimension: int = 0) -> Detections:
        """Return the detections of a frame without people.

        Args:
            dimension: length D of an embedding.
        """
        return cls(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros((0, dimension), np.float32))

    def __len__(self) -> int:
        return len(self.scores)


@dataclass(frozen=True)
class Recognised:
    """Somebody who came back and has an earlier number again.

    Attributes:
        was: the earlier number, which the person has from this frame on.
        now: the number that the person has had since they came back.
        similarity: cosine of what they looked like before and after.
    """

    was: int
    now: int
    similarity: float


@dataclass(frozen=True)
class Tracks:
    """The people in sight in one frame.

    Attributes:
        ids: [N] int64 identities from 1.
        boxes: [N, 4] float64 left, top, width, height in pixels of the original image; parts may lie outside of it.
        scores: [N] float64 confidence of the detection, 0 to 1.
        embeddings: [N, D] float32, L2-normalised, averaged over each track so far; None where the association has none.
        looks: [N, D] float32, L2-normalised, the embedding of this frame's detection alone; zeros where none was
            computed; None where the association has none.
        recognised: those whose number changes to an earlier one in this frame.
    """

    ids: np.ndarray
    boxes: np.ndarray
    scores: np.ndarray
    embeddings: np.ndarray | None = None
    looks: np.ndarray | None = None
    recognised: tuple[Recognised, ...] = ()

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


@dataclass(frozen=True)
class SequenceInfo:
    """Properties of a sequence, known once its first frame has been read.

    Attributes:
        name: name of the sequence, the stem of file names.
        frame_rate: usual frames per second, pauses left out.
        size: width and height of the first frame in pixels.
        start: time of the first frame in the input's own clock, in seconds; `Frame.time` counts from there.
        audio: audio stream of the input, as a template for copying its packets; None without sound.
        pixel_aspect: width of a pixel over its height.
        skip_frames: every N-th frame is tracked, the first included.
        first_frame: number of the first frame of the source.
    """

    name: str
    frame_rate: float
    size: tuple[int, int] = (0, 0)
    start: float = 0.0
    audio: av.AudioStream | None = None
    pixel_aspect: Fraction = Fraction(1)
    skip_frames: int = 1
    first_frame: int = 1
