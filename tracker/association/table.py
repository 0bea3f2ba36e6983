"""A table of tracks: one array a column, one row a track."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np

AnyTable = TypeVar("AnyTable", bound="Table")


@dataclass
class Table:
    """Base of dataclasses whose fields are arrays of one length.

    Column by column a frame costs few array operations, however many people there are.
    """

    def __len__(self) -> int:
        return len(next(iter(vars(self).values())))

    def take(self: AnyTable, rows: np.ndarray) -> AnyTable:
        """Return a new table of the given rows (indices or a mask) in the given order."""
        return type(self)(**{name: column[rows] for name, column in vars(self).items()})

    def append(self: AnyTable, other: AnyTable) -> AnyTable:
        """Return a new table with the rows of ``other`` after these."""
        return type(self)(
            **{name: np.concatenate([column, getattr(other, name)]) for name, column in vars(self).items()}
        )
