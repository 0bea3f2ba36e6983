"""The time of every frame of a run, in memory that grows only where the rate changes."""

from __future__ import annotations

from array import array

import numpy as np

from ..association.clock import frame_periods

_TOLERANCE = 0.25  # frame periods by which a frame may miss the line of those before it


class FrameTimes:
    """When the frames of a sequence were taken, in frame periods (1 / frame_rate), as lines between a few of them.

    Args:
        frame_rate: frames per second.
    """

    def __init__(self, frame_rate: float) -> None:
        self._frame_rate = frame_rate
        self._frames, self._places = array("d"), array("d")  # where a line begins
        self._slope = 1.0  # frame periods a frame on the last line
        self._number, self._place, self._seconds = 0, 0.0, 0.0  # of the last frame

    def add(self, number: int, seconds: float) -> None:
        """Add the next frame.

        Args:
            number: of the frame, higher than that of the last.
            seconds: its time from any beginning.
        """
        if not self._frames:
            self._bend(number, float(number))
            place = float(number)
        else:
            place = self._place + frame_periods(seconds - self._seconds, self._frame_rate)
            if abs(self._on_line(number) - place) > _TOLERANCE:
                if self._number > self._frames[-1]:
                    self._bend(self._number, self._place)
                self._slope = (place - self._places[-1]) / (number - self._frames[-1])
        self._number, self._place, self._seconds = number, place, seconds

    def at(self, numbers: np.ndarray) -> np.ndarray:
        """Return the times of frames, also of those that were left out in between.

        Args:
            numbers: [N] frame numbers.

        Returns:
            [N] frame periods; at a constant rate these are the numbers.
        """
        if not self._frames:
            return numbers
        frames = np.append(self._frames, self._number)
        late = np.append(self._places, self._on_line(self._number)) - frames
        return numbers + np.interp(numbers, frames, late)

    def _bend(self, number: int, place: float) -> None:
        self._frames.append(number)
        self._places.append(place)

    def _on_line(self, number: int) -> float:
        return self._places[-1] + self._slope * (number - self._frames[-1])
