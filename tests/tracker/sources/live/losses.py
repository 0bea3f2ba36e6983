"""Cameras that are lost by a plan, on a clock that only runs while somebody waits."""

from dataclasses import dataclass, field

import numpy as np

from tracker.sources.base import Source
from tracker.sources.live.connection import LostError, Waiting
from tracker.sources.live.reconnecting import Patience, ReconnectingSource
from tracker.structures import Frame

RATE = 10.0
PERIOD = 1 / RATE


class FakeWaiting(Waiting):
    """A clock that stands still but while it is waited for."""

    def __init__(self, halt_at=float("inf")):
        super().__init__()
        self.clock, self.halt_at, self.pauses = 1000.0, halt_at, []

    def now(self):
        return self.clock

    def pass_by(self, seconds):
        self.clock = min(self.clock + seconds, self.halt_at)
        self.halted = self.halted or self.clock >= self.halt_at

    def wait_for(self, happened, seconds):
        self.pauses.append(seconds)
        self.pass_by(seconds)
        return False


@dataclass
class Plan:
    """What one connection does.

    Attributes:
        opening: seconds until it is open.
        steps: seconds before each frame.
        ends: how it ends then: ended, fails, or stalls.
        fails: why it cannot be opened; empty for an opening.
        refused: whether the server refuses.
        size: of its pictures, width and height.
        speed: of its own clock.
    """

    opening: float = 0.0
    steps: list = field(default_factory=list)
    ends: str = "ended"
    fails: str = ""
    refused: bool = False
    size: tuple = (6, 4)
    speed: float = 1.0


class FakeConnection:
    """Follows a plan."""

    def __init__(self, plan, waiting, source=None):
        self.plan, self.waiting, self.source = plan, waiting, source
        self.dropped, self.hangs, self.left = 0, False, False
        self.index, self.stamp, self.opened = 0, 0.0, False

    def take(self, seconds):
        assert not self.left, "a connection that was left is asked for a frame"
        plan, needed = self.plan, 0.0
        if not self.opened:
            needed, self.opened = plan.opening, True
        over = self.index >= len(plan.steps)
        if not over:
            needed += plan.steps[self.index]
        if plan.fails and needed <= seconds:
            self.waiting.pass_by(needed)
            raise LostError(plan.fails, plan.refused)
        if needed > seconds or (over and plan.ends == "stalls"):
            self.waiting.pass_by(seconds)
            if self.waiting.halted:
                return None
            raise LostError(f"no picture for {seconds:g} s")
        self.waiting.pass_by(needed)
        if self.waiting.halted:
            return None
        if over:
            raise LostError(f"it {plan.ends}")
        if self.index:
            self.stamp += plan.steps[self.index] * plan.speed
        image = np.zeros((plan.size[1], plan.size[0], 3), np.uint8)
        frame = Frame(self.index, self.stamp, image, audio=(self.index,), arrived=self.waiting.now())
        self.index += 1
        return frame

    def leave(self):
        self.left = True

    close = leave


class NoSource(Source):
    """An open source whose frames come from a plan."""

    def __init__(self, rate=RATE):
        super().__init__("'rtsp://***@host/live'", "host_live", rate, live=True)
        self.endless, self.closed = True, 0

    def _read(self):
        raise AssertionError("read for real")

    def _release(self):
        self.closed += 1


def played(plans, halt_at=float("inf"), give_up=float("inf"), timeout=5.0, jitter=0.5, length=None):
    """The frames and events of the plans, one connection after the other; stops after the last.

    Returns:
        The source, its frames, its events, the clock, and the connections.
    """
    waiting, events, made = FakeWaiting(halt_at), [], []
    first = NoSource()
    first.length = length

    def connect(opener, given):
        assert given is waiting
        if len(made) == len(plans):
            waiting.halt()
            made.append(FakeConnection(Plan(), waiting))
        else:
            made.append(FakeConnection(plans[len(made)], waiting, first))
        return made[-1]

    patience = Patience(timeout, give_up, lambda: jitter)
    source = ReconnectingSource(first, lambda: first, patience, events.append, waiting, connect)
    with source:
        frames = list(source)
    return source, frames, events, waiting, made
