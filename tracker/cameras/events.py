"""The events of several cameras, which are told by the same outlets where the same ones are asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..delivery.hub import EventHub


class CameraEvents(EventHub):
    """The events of one camera, handed on to a hub that several share.

    Args:
        shared: the hub, which somebody else opens and closes.
    """

    def __init__(self, shared: EventHub) -> None:
        super().__init__()
        self._shared = shared
        if shared.wanted:
            self.listen(shared.tell)

    def begin(self, camera: str, lines: Mapping[str, tuple[str, str]] | None = None, zones: Sequence[str] = ()) -> None:
        """Name the recording, and say what is counted in it."""
        super().begin(camera, lines, zones)
        self._shared.begin(camera, lines, zones)
