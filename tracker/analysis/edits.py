"""Corrections of identities by hand: the text stays as it is, and answers are made as if it had been right.

    merge: [[3, 9]]                        # 9 is 3
    split: [{id: 4, frame: 310, to: 50}]   # from this frame on 4 is 50; without `to` the next number that is free
    swap: [{ids: [4, 7], from: 310}]       # from this frame on 4 is 7, and 7 is 4
    drop: [12]                             # is nobody
    name: {7: guard, 9: cashier}           # stands beside the number in tables, report and video
    staff: [7, 9]                          # are counted nowhere: not at lines, not in zones, not in heat maps

They are made in the order of the file, each with the numbers as those before it left them.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from ..errors import OptionError
from ..settings.checks import check_text, check_whole, shown
from ..settings.files import read_mapping

EditsLike = str | os.PathLike | Mapping[str, Any] | None
FRAME, ID, SCORE = 0, 1, 6  # columns of a MOT text
NOBODY = -1.0


class Edit(Protocol):
    """A correction."""

    @property
    def identities(self) -> set[int]:
        """Identities that may be somebody else after it."""
        ...

    def check(self, known: set[int]) -> Edit:
        """Change the identities there are as the correction does.

        Returns:
            The correction, with all numbers known.

        Raises:
            OptionError: an identity that it names is not there, or one that it makes is there already.
        """
        ...

    def apply(self, ids: np.ndarray, frames: np.ndarray) -> None:
        """Change ids [N] in place, given the frames [N] that they are in."""
        ...


@dataclass(frozen=True)
class _Merge:
    ids: tuple[int, ...]

    @property
    def identities(self) -> set[int]:
        return set(self.ids)

    def check(self, known: set[int]) -> _Merge:
        _take("merge", self.ids, known)
        known.add(self.ids[0])
        return self

    def apply(self, ids: np.ndarray, frames: np.ndarray) -> None:
        ids[np.isin(ids, self.ids)] = self.ids[0]


@dataclass(frozen=True)
class _Split:
    id: int
    frame: int
    to: int | None

    @property
    def identities(self) -> set[int]:
        return {self.id} if self.to is None else {self.id, self.to}

    def check(self, known: set[int]) -> _Split:
        _take("split", (self.id,), known)
        to = max(known | {self.id}) + 1 if self.to is None else self.to
        known.add(self.id)
        if to in known:
            raise OptionError(
                f"edits: split: to: {to} is somebody already: choose a number that is free, or leave it out"
            )
        known.add(to)
        return replace(self, to=to)

    def apply(self, ids: np.ndarray, frames: np.ndarray) -> None:
        ids[(ids == self.id) & (frames >= self.frame)] = self.to


@dataclass(frozen=True)
class _Swap:
    ids: tuple[int, int]
    frame: int

    @property
    def identities(self) -> set[int]:
        return set(self.ids)

    def check(self, known: set[int]) -> _Swap:
        _take("swap", self.ids, known)
        known.update(self.ids)
        return self

    def apply(self, ids: np.ndarray, frames: np.ndarray) -> None:
        first, second = ((ids == identity) & (frames >= self.frame) for identity in self.ids)
        ids[first], ids[second] = self.ids[1], self.ids[0]


@dataclass(frozen=True)
class _Drop:
    id: int

    @property
    def identities(self) -> set[int]:
        return {self.id}

    def check(self, known: set[int]) -> _Drop:
        _take("drop", (self.id,), known)
        return self

    def apply(self, ids: np.ndarray, frames: np.ndarray) -> None:
        ids[ids == self.id] = NOBODY


def _take(kind: str, ids: tuple[int, ...], known: set[int]) -> None:
    """Remove identities from those there are."""
    for identity in ids:
        if identity not in known:
            raise OptionError(f"edits: {kind}: there is no {identity} in the text, or not any more")
        known.discard(identity)


@dataclass(frozen=True)
class Edits:
    """Corrections in order, and names.

    Attributes:
        edits: the corrections.
        names: of identities, as they are after all corrections.
        staff: identities, likewise, that are counted nowhere.
    """

    edits: tuple[Edit, ...] = ()
    names: Mapping[int, str] = field(default_factory=dict)
    staff: tuple[int, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.edits or self.names or self.staff)

    @property
    def identities(self) -> set[int]:
        """Identities that may be somebody else after the corrections."""
        return set().union(*(edit.identities for edit in self.edits))

    def resolved(self, portions: Iterable[np.ndarray]) -> Edits:
        """Return the corrections with the numbers that a text leaves free, once they are known to fit it.

        Args:
            portions: all rows of the text, [N, 7 or more] by the columns of a MOT text.

        Raises:
            OptionError: they do not fit.
        """
        known: set[int] = set()
        for rows in portions:
            known |= set(np.unique(rows[:, ID]).astype(int).tolist())
        edits = tuple(edit.check(known) for edit in self.edits)
        for kind, named in (("name", self.names), ("staff", self.staff)):
            for identity in named:
                if identity not in known:
                    raise OptionError(f"edits: {kind}: there is no {identity} in the text, or not any more")
        return replace(self, edits=edits)

    def apply(self, rows: np.ndarray) -> np.ndarray:
        """Return the rows of whole frames as they are after the corrections.

        Of two boxes of one person in one frame, the one with the higher score stays.

        Args:
            rows: [N, 7 or more] by the columns of a MOT text.
        """
        if not self.edits:
            return rows
        rows = rows.copy()
        for edit in self.edits:
            edit.apply(rows[:, ID], rows[:, FRAME])
        return best_boxes(rows[rows[:, ID] != NOBODY])


def best_boxes(rows: np.ndarray) -> np.ndarray:
    """Return rows [N, 7 or more] with every identity at most once a frame: where its score is highest."""
    order = np.lexsort((-rows[:, SCORE], rows[:, ID], rows[:, FRAME]))
    places = rows[order][:, [FRAME, ID]]
    twice = np.zeros(len(rows), bool)
    twice[1:] = (places[1:] == places[:-1]).all(axis=1)
    return rows[np.sort(order[~twice])]


def load_edits(edits: EditsLike) -> Edits:
    """Read corrections.

    Args:
        edits: file, mapping, or None for none.

    Raises:
        OptionError: the file cannot be read, or a value is not accepted.
    """
    if edits is None:
        return Edits()
    if not isinstance(edits, (str, os.PathLike, Mapping)):
        raise OptionError(f"edits must be a file or a mapping, not {shown(edits)}")
    values = edits if isinstance(edits, Mapping) else read_mapping(Path(edits))
    made: list[Edit] = []
    names: dict[int, str] = {}
    staff: tuple[int, ...] = ()
    for kind, entries in values.items():
        if kind == "name":
            if not isinstance(entries, Mapping):
                raise OptionError(f"edits: name must be a mapping such as {{7: guard}}, not {shown(entries)}")
            names = {_identity(kind, key): check_text(f"edits: name: {key}", text) for key, text in entries.items()}
        elif kind != "staff" and kind not in READERS:
            raise OptionError(f"edits: unknown key {shown(kind)}; known are {', '.join([*READERS, 'name', 'staff'])}")
        elif not isinstance(entries, list | tuple):
            raise OptionError(f"edits: {kind} must be a list, not {shown(entries)}")
        elif kind == "staff":
            staff = tuple(_identity(kind, entry) for entry in entries)
        else:
            made += [READERS[kind](entry) for entry in entries]
    return Edits(tuple(made), names, staff)


def _identity(kind: str, value: Any) -> int:
    return check_whole(f"edits: {kind}: an identity", value, 0)


def _identities(kind: str, value: Any, most: int) -> tuple[int, ...]:
    if not isinstance(value, list | tuple) or not 2 <= len(value) <= most:
        raise OptionError(f"edits: {kind} needs {'two' if most == 2 else 'two or more'} identities, not {shown(value)}")
    ids = tuple(_identity(kind, one) for one in value)
    if len(set(ids)) < len(ids):
        raise OptionError(f"edits: {kind} needs different identities, not {shown(value)}")
    return ids


def _entry(kind: str, value: Any, needed: set[str], optional: tuple[str, ...] = ()) -> Mapping[str, Any]:
    if not isinstance(value, Mapping) or not needed <= set(value) <= {*needed, *optional}:
        raise OptionError(f"edits: {kind} needs {', '.join(sorted(needed))} of each entry, not {shown(value)}")
    return value


def _read_split(value: Any) -> _Split:
    entry = _entry("split", value, {"id", "frame"}, ("to",))
    frame = check_whole("edits: split: frame", entry["frame"])
    return _Split(_identity("split", entry["id"]), frame, _identity("split", entry["to"]) if "to" in entry else None)


def _read_swap(value: Any) -> _Swap:
    entry = _entry("swap", value, {"ids", "from"})
    first, second = _identities("swap", entry["ids"], 2)
    return _Swap((first, second), check_whole("edits: swap: from", entry["from"]))


READERS: dict[str, Callable[[Any], Edit]] = {
    "merge": lambda value: _Merge(_identities("merge", value, 10_000)),
    "split": _read_split,
    "swap": _read_swap,
    "drop": lambda value: _Drop(_identity("drop", value)),
}
