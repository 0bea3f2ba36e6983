"""Answers of teachers on disk, so that each question is asked once."""

from __future__ import annotations

import hashlib
import io
import sqlite3
from collections.abc import Callable
from pathlib import Path

import numpy as np

from tracker.errors import OutputError

WAIT = 60.0  # seconds for another process that writes


def digest(*parts: str | np.ndarray) -> str:
    """Return a hexadecimal SHA-256 of texts and arrays, of their types and shapes too."""
    total = hashlib.sha256()
    for part in parts:
        if isinstance(part, np.ndarray):
            total.update(f"{part.dtype.str} {part.shape};".encode())
            total.update(np.ascontiguousarray(part).data)
        else:
            total.update(f"{len(part)};{part}".encode())
    return total.hexdigest()


class AnswerStore:
    """Arrays by the digest of what was asked. Several processes may use one file.

    What was answered before a run is interrupted stays.

    Args:
        path: The SQLite file; it and its folder are made where they are missing.

    Raises:
        OutputError: The file cannot be made or read.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(path, timeout=WAIT)
            with self._connection:
                self._connection.execute(
                    "CREATE TABLE IF NOT EXISTS answers (question TEXT PRIMARY KEY, answer BLOB NOT NULL)"
                )
        except (OSError, sqlite3.Error) as error:
            raise self._failure(error) from error

    def answer(self, question: str, ask: Callable[[], np.ndarray]) -> np.ndarray:
        """Return the kept answer to a question; where there is none, ask and keep it.

        Args:
            question: Its digest.
            ask: Gives the answer.

        Raises:
            OutputError: The file cannot be read or written, or the answer in it is damaged.
        """
        try:
            row = self._connection.execute("SELECT answer FROM answers WHERE question = ?", [question]).fetchone()
            if row is not None:
                return np.load(io.BytesIO(row[0]), allow_pickle=False)
        except (sqlite3.Error, ValueError, EOFError, TypeError) as error:
            raise self._failure(error) from error
        value = ask()
        file = io.BytesIO()
        np.save(file, value, allow_pickle=False)
        try:
            with self._connection:
                self._connection.execute("INSERT OR REPLACE INTO answers VALUES (?, ?)", [question, file.getvalue()])
        except sqlite3.Error as error:
            raise self._failure(error) from error
        return value

    def _failure(self, error: Exception) -> OutputError:
        return OutputError(f"teachers' answers cannot be kept in {self._path} ({error}); if it is damaged, remove it")
