"""Whom to hide in which frame: everybody detected, held over the gaps in which nobody is detected."""

from __future__ import annotations

import logging
import math
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ..boxes import box_iou, ltwh_to_ltrb
from ..errors import OptionError
from ..settings.checks import check_choice, check_whole, shown
from ..structures import Detections, Frame, SequenceInfo, Tracks
from .hide import HOW, hide

# Detections from this score on are hidden, tracked or not, unless the model states another: hiding too much does less
# harm.
LEAST_SCORE = 0.1
HOLD = 0.5  # seconds for which somebody stays hidden before and after they are detected
SPREAD = 0.4  # heights a second by which the box of somebody out of sight is widened on either side
OWN = 0.6  # IoU with the box of a track from which a detection is of the same person
SAME = 0.3  # IoU from which boxes in successive frames are of one person
MOST_WAITING = 2  # times the frames of `HOLD` at the nominal rate that wait, whatever the time stamps say
ROUNDING = 1e-6  # seconds

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Hiding:
    """Who is hidden, and how.

    Attributes:
        how: ``head``, ``body`` or ``solid``, see `hide`.
        only: the only identities that are shown; () for no such list.
        except_: identities that are hidden while all others are shown; () for no such list.

    Raises:
        OptionError: a value is not accepted, or both lists are given.
    """

    how: str
    only: tuple[int, ...] = ()
    except_: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        check_choice("anonymise", self.how, HOW)
        if self.only and self.except_:
            raise OptionError("only and except_ cannot be combined: give those to show, or those to hide")

    def hides(self, identity: int) -> bool:
        """Return whether an identity is hidden; 0 stands for somebody without one."""
        return identity in self.except_ if self.except_ else identity not in self.only

    def __str__(self) -> str:
        some = " and ".join(map(str, self.only or self.except_))
        who = f"everybody but {some}" if self.only else some if self.except_ else "everybody"
        return f"{who} ({self.how})"


def read_hiding(how: Any, only: Any = None, except_: Any = None) -> Hiding | None:
    """Return who is hidden, from options as users give them.

    Args:
        how: ``head``, ``body`` or ``solid``; None for nobody.
        only: the identities that are shown, a whole number or several; None for no such list.
        except_: likewise, those that are hidden.

    Returns:
        None where nobody is hidden.

    Raises:
        OptionError: a value is not accepted.
    """
    shown_ids, hidden_ids = _identities("only", only), _identities("except_", except_)
    if how is None:
        if shown_ids or hidden_ids:
            raise OptionError(f"only and except_ choose whom to anonymise: give anonymise too, {', '.join(HOW)}")
        return None
    return Hiding(how, shown_ids, hidden_ids)


def check_threshold(score: float) -> None:
    """Check the least score of a detection.

    Raises:
        OptionError: people with a lower score would not be hidden.
    """
    if score > LEAST_SCORE:
        raise OptionError(
            f"score_threshold {score} would leave people unhidden: with anonymise give at most {LEAST_SCORE}; "
            "conf_thres says who is tracked"
        )


def _identities(name: str, value: Any) -> tuple[int, ...]:
    if value is None:
        return ()
    values = list(value) if isinstance(value, Iterable) and not isinstance(value, (str, bytes)) else [value]
    if not values:
        raise OptionError(f"{name} must name at least one identity, not {shown(value)}")
    return tuple(check_whole(name, one) for one in values)


@dataclass(frozen=True)
class _Sighting:
    """Somebody in one frame; box [4] left, top, width, height."""

    box: np.ndarray
    time: float
    identity: int
    hidden: bool


@dataclass
class _Waiting:
    frame: Frame
    tracks: Tracks
    boxes: list[np.ndarray] = field(default_factory=list)


class Cover:
    """Hides people in the frames of a sequence, on their way from the tracker to the sinks.

    Everybody detected is hidden, from low scores on, whether or not they are tracked. Who is not detected any more
    stays hidden for `HOLD` seconds, in a box that gets wider; with a delay also as long before they are first detected,
    and in gaps up to twice as long on the straight line between.

    Args:
        hiding: who is hidden, and how.
        info: name and nominal frame rate of the sequence.
        delay: whether a frame waits until nothing later can tell of people in it; without, it never waits.
        least: score from which on detections are hidden.
    """

    def __init__(self, hiding: Hiding, info: SequenceInfo, delay: bool, least: float = LEAST_SCORE) -> None:
        logger.info("%s: hidden in all pictures: %s", info.name, hiding)
        self._hiding = hiding
        self._delay, self._least = delay, least
        self._most = MOST_WAITING * (math.ceil(HOLD * info.frame_rate) + 1) if delay else 0
        self._waiting: deque[_Waiting] = deque()
        self._last: list[_Sighting] = []

    def add(self, frame: Frame, tracks: Tracks, detections: Detections) -> list[tuple[Frame, Tracks]]:
        """Take the next frame.

        Args:
            frame: as it was read.
            tracks: the people in sight.
            detections: all that were detected, low scores included.

        Returns:
            The frames that are settled by it, with people hidden, and their tracks.
        """
        now = frame.time
        waiting = _Waiting(frame, tracks)
        boxes, identities = _people(tracks, detections, self._least)
        before = self._match(boxes, identities)
        sightings = []
        for box, identity, last in zip(boxes, identities, before):
            hidden = self._hiding.hides(identity) or bool(not identity and last and last.hidden)
            sightings.append(_Sighting(box, now, identity, hidden))
            if hidden:
                waiting.boxes.append(box)
                self._look_back(sightings[-1], last)
        matched = {id(last) for last in before if last}
        for last in self._last:
            age = now - last.time
            if id(last) not in matched and age <= 2 * HOLD + ROUNDING:
                sightings.append(last)
                if last.hidden and age <= HOLD + ROUNDING:
                    waiting.boxes.append(_spread(last.box, age))
        self._last = sightings
        self._waiting.append(waiting)
        return list(self._settled(now))

    def rest(self) -> list[tuple[Frame, Tracks]]:
        """Return the frames that still wait, once the sequence is over."""
        return list(self._settled(math.inf))

    def _settled(self, now: float) -> Iterator[tuple[Frame, Tracks]]:
        while self._waiting:
            first = self._waiting[0]
            if self._delay and now - first.frame.time < HOLD - ROUNDING and len(self._waiting) <= self._most:
                return
            self._waiting.popleft()
            image = hide(first.frame.image, np.array(first.boxes).reshape(-1, 4), self._hiding.how)
            yield replace(first.frame, image=image), first.tracks

    def _match(self, boxes: np.ndarray, identities: list[int]) -> list[_Sighting | None]:
        """Return who each of the people was when last seen: by identity, else by the best overlap; one for each."""
        known = {last.identity: place for place, last in enumerate(self._last) if last.identity}
        made = [known.get(identity) for identity in identities]
        if self._last and len(boxes):
            overlap = box_iou(ltwh_to_ltrb(boxes), ltwh_to_ltrb(np.array([last.box for last in self._last])))
            taken = {place for place in made if place is not None}
            for number, place in zip(*np.unravel_index(np.argsort(-overlap, axis=None, kind="stable"), overlap.shape)):
                if overlap[number, place] < SAME:
                    break
                strangers = identities[number] and self._last[place].identity
                if made[number] is None and place not in taken and not strangers:
                    made[number] = int(place)
                    taken.add(int(place))
        return [None if place is None else self._last[place] for place in made]

    def _look_back(self, sighting: _Sighting, last: _Sighting | None) -> None:
        """Hide somebody in the waiting frames before a sighting, back to the last one."""
        for waiting in self._waiting:
            time = waiting.frame.time
            age = sighting.time - time
            if last is None or not last.hidden:
                if age <= HOLD + ROUNDING and (last is None or time > last.time):
                    waiting.boxes.append(_spread(sighting.box, age))
            elif time > last.time:
                share = age / (sighting.time - last.time)
                waiting.boxes.append(share * last.box + (1 - share) * sighting.box)


def _people(tracks: Tracks, detections: Detections, least: float) -> tuple[np.ndarray, list[int]]:
    """Return the boxes [N, 4] left, top, width, height of all people in a frame, and their identities, or 0.

    The detection that a track's box is made of is left out.
    """
    found = detections.boxes[detections.scores >= least].astype(np.float64)
    tracked = np.asarray(tracks.boxes, np.float64).reshape(-1, 4)
    if len(found) and len(tracked):
        overlap = box_iou(ltwh_to_ltrb(tracked), found)
        own = overlap.argmax(axis=1)[overlap.max(axis=1) >= OWN]
        found = np.delete(found, own, axis=0)
    found[:, 2:] -= found[:, :2]
    return np.concatenate([tracked, found]), [*tracks.ids.tolist(), *[0] * len(found)]


def _spread(box: np.ndarray, age: float) -> np.ndarray:
    """Return the box of somebody unseen for some seconds, widened by as far as they may have walked."""
    left, top, width, height = box
    reach = SPREAD * height * max(age, 0)
    return np.array([left - reach, top, width + 2 * reach, height])
