"""What attacks share: their number, ways to damage a file, and a process with limits for what is attacked."""

from __future__ import annotations

import importlib
import json
import os
import random
import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from tests.helpers.paths import ROOT
from tracker.errors import TrackingError

EXTREMES = (
    b"\xff\xff\xff\xff",
    b"\x7f\xff\xff\xff",
    bytes(4),
    b"\x80\0\0\0",
    b"\0\0\0\1",
    b"\xff\xff\xff\x7f",
    b"\0\1\0\0",
)
NUMBERS = (
    b"-1",
    b"0",
    b"nan",
    b"inf",
    b"1e400",
    b"9" * 5000,
    b"0x10",
    b"1_0",
    "\u0663".encode(),
    "\u00b2".encode(),
    b"",
)
BATCH = 100  # attacks of one process


def count(name: str, usual: int) -> int:
    """The number of attacks of a kind: that of the environment, such as ATTACK_MUTANTS=2000, or the usual one."""
    return int(os.environ.get(f"ATTACK_{name}", usual))


def batches(number: int) -> list[range]:
    """The seeds of so many attacks, in batches."""
    return [range(start, min(start + BATCH, number)) for start in range(0, number, BATCH)]


# Damage. Each takes the bytes of a file and a source of chance, and returns other bytes.


def as_it_is(data: bytearray, chance: random.Random) -> bytes:
    """No damage, to see that what is damaged was whole."""
    return data


def _flip(data: bytearray, chance: random.Random) -> bytes:
    for _ in range(chance.choice((1, 2, 4, 30, 400))):
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    return data


def _head(data: bytearray, chance: random.Random) -> bytes:
    for _ in range(chance.randint(1, 30)):
        data[chance.randrange(min(len(data), 700))] = chance.randrange(256)
    return data


def _extreme(data: bytearray, chance: random.Random) -> bytes:
    """Sizes, counts, rates and times at their extremes, mostly near the ends of the file."""
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(min(len(data), 1500))
        at = at if chance.random() < 0.6 else len(data) - 1 - at
        data[at : at + 4] = chance.choice(EXTREMES)
    return data


def _zeros(data: bytearray, chance: random.Random) -> bytes:
    at, size = _span(data, chance, 4)
    data[at : at + size] = bytes(size)
    return data


def _noise(data: bytearray, chance: random.Random) -> bytes:
    at, size = _span(data, chance, 3)
    data[at : at + size] = chance.randbytes(size)
    return data


def _cut(data: bytearray, chance: random.Random) -> bytes:
    return data[: chance.randrange(len(data))]


def _insert(data: bytearray, chance: random.Random) -> bytes:
    at = chance.randrange(len(data))
    return data[:at] + chance.randbytes(chance.randint(1, 3000)) + data[at:]


def _remove(data: bytearray, chance: random.Random) -> bytes:
    at, size = _span(data, chance, 5)
    return data[:at] + data[at + size :]


def _repeat(data: bytearray, chance: random.Random) -> bytes:
    return data + data[chance.randrange(len(data)) :]


def _swap(data: bytearray, chance: random.Random) -> bytes:
    size = max(1, len(data) // 8)
    first, second = (chance.randrange(max(1, len(data) - size)) for _ in range(2))
    data[first : first + size], data[second : second + size] = data[second : second + size], data[first : first + size]
    return data


def _number(data: bytearray, chance: random.Random) -> bytes:
    """Another number in place of one that is written out, as in a text."""
    words = bytes(data).split(b" ")
    words[chance.randrange(len(words))] = chance.choice(NUMBERS)
    return b" ".join(words)


def _span(data: bytearray, chance: random.Random, part: int) -> tuple[int, int]:
    at = chance.randrange(len(data))
    return at, min(chance.randint(1, max(1, len(data) // part)), len(data) - at)


DAMAGE = (_flip, _head, _extreme, _zeros, _noise, _cut, _insert, _remove, _repeat, _swap)
DAMAGE_OF_TEXTS = (_flip, _cut, _insert, _remove, _repeat, _swap, _number, _number, _number)


def damaged(data: bytes, seed: int, ways: tuple[Callable[[bytearray, random.Random], bytes], ...] = DAMAGE) -> bytes:
    """The bytes of a file, damaged in a way that the seed tells."""
    chance = random.Random(seed)
    return bytes(chance.choice(ways)(bytearray(data), chance))


# Processes

PROGRAM = "import sys; from tests.attacks.attacking import _run; _run(*sys.argv[1:])"


def in_limits(function: Callable[..., Any], *arguments: Any, seconds: float, gigabytes: float) -> Any:
    """Call a function of a module in a process of its own.

    Args:
        function: takes and returns what JSON can hold.
        arguments: of the call.
        seconds: for the whole process; it is killed then.
        gigabytes: of its address space.

    Returns:
        What the function returns.
    """
    words = [function.__module__, function.__name__, json.dumps(arguments, default=str), str(gigabytes)]
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *words],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=seconds,
        check=False,
    )
    *before, answer = done.stdout.splitlines() or [""]
    assert done.returncode == 0, f"ended with {done.returncode} after {[*before, answer][-1]}\n{done.stderr[-3000:]}"
    return json.loads(answer)


def _run(module: str, name: str, arguments: str, gigabytes: str) -> None:
    limit = int(float(gigabytes) * 2**30)
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    result = getattr(importlib.import_module(module), name)(*json.loads(arguments))
    print(json.dumps(result), flush=True)


def outcomes(attempts: Iterable[tuple[str, Callable[[], Any]]], seconds: int) -> dict[str, list[str]]:
    """Make attempts, one after the other, each of which may end in a result or in one line of a `TrackingError`.

    Args:
        attempts: a name, and what to do.
        seconds: that one may take; then the process ends by SIGALRM, also in the middle of a library.

    Returns:
        The names of those that ended well, in ``results`` and ``errors``; of the others with what happened, in ``bad``.
    """
    found: dict[str, list[str]] = {"results": [], "errors": [], "bad": []}
    for name, attempt in attempts:
        print(name, flush=True)  # the last line of a process that is taken down
        signal.alarm(seconds)
        try:
            attempt()
            found["results"].append(name)
        except TrackingError as error:
            line = str(error)
            fits = line.isprintable() and 0 < len(line) < 2000
            found["errors" if fits else "bad"].append(name if fits else f"{name}: {line[:300]!r}")
        except BaseException as error:  # noqa: BLE001 (it is what is looked for)
            found["bad"].append(f"{name}: {type(error).__name__}: {str(error)[:300]}")
        signal.alarm(0)
    return found


def write_damaged(seed_file: Path, seed: int, folder: Path, ways: tuple = DAMAGE) -> Path:
    """Write a damaged copy of a file under a name that tells its seed."""
    path = folder / f"{seed_file.stem}_{seed}{seed_file.suffix}"
    path.write_bytes(damaged(seed_file.read_bytes(), seed, ways))
    return path
