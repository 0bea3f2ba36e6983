"""What runs the network here: the processor, and what `auto` chooses on it."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Iterator
from pathlib import Path

from .findings import NOTE, OK, PROBLEM, Finding

CPUINFO = Path("/proc/cpuinfo")
FEATURES = {  # our names, by those of Linux; the second half is of ARM
    "avx2": "AVX2",
    "avx_vnni": "AVX VNNI",
    "avx512f": "AVX-512",
    "avx512_vnni": "AVX-512 VNNI",
    "avx512_bf16": "AVX-512 BF16",
    "amx_int8": "AMX int8",
    "amx_bf16": "AMX BF16",
    "asimddp": "dot products",
    "i8mm": "8-bit matrix products",
    "bf16": "BF16",
}
_FOR_8_BITS = {"avx_vnni", "avx512_vnni", "amx_int8", "asimddp", "i8mm"}
_PATIENCE = 5.0  # seconds for a server to answer


def check_processor() -> Iterator[Finding]:
    """Find the name of the processor, its cores and its instructions."""
    try:
        text = CPUINFO.read_text(encoding="utf-8", errors="replace")
    except OSError:  # not Linux
        text = ""
    named = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    stated = re.search(r"^(?:flags|Features)\s*:\s*(.+)$", text, re.MULTILINE)
    name = named[1].strip() if named else platform.processor() or platform.machine()
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    summary = f"{name}, {usable} of {os.cpu_count()} cores"
    if not stated:
        yield Finding("processor", OK, f"{summary}; its instructions are not told by this system")
        return
    flags = set(stated[1].split())
    known = [ours for flag, ours in FEATURES.items() if flag in flags]
    summary += f"; {', '.join(known) or 'no AVX2'}"
    if flags & _FOR_8_BITS:
        yield Finding("processor", OK, summary)
    else:
        yield Finding("processor", NOTE, f"{summary}; no instructions made for int8, which gains less without")


def check_backend() -> Iterator[Finding]:
    """Open the compact model as a run does, and find what runs it."""
    from ..detection.backends.choice import BACKENDS
    from ..detection.backends.network import thread_count
    from ..errors import TrackingError
    from ..predictor import Predictor
    from ..settings.runtime import RuntimeOptions

    try:
        model = Predictor("compact").load_model(RuntimeOptions(), False)
    except TrackingError as error:
        yield Finding("backend", PROBLEM, f"nothing can run the compact model: {error}")
        return
    backend, _, precision = model.detector().backend.partition(" ")
    text = f"auto is {backend} on the processor in {precision}, with {thread_count(None)} threads"
    fastest = next(iter(BACKENDS))
    if backend == fastest:
        yield Finding("backend", OK, text)
    else:
        yield Finding("backend", NOTE, f"{text}; {fastest} is faster: pip install '{BACKENDS[fastest].requirement}'")


def check_model() -> Iterator[Finding]:
    """Find which model `auto` takes; of the full one only its header is asked for, and only where it is not here."""
    import requests

    from ..models import locate

    pace = f"the full model, {locate.FULL_PACE}; --model compact for {locate.COMPACT_PACE}"
    missing = locate.missing_converters()
    if locate.full_is_cached():
        yield Finding("model", NOTE, f"auto is {pace}")
    elif missing:
        needed = " and ".join(missing)
        yield Finding("model", OK, f"auto is the compact model: the full one is converted by {needed}, not installed")
    elif locate.full_is_downloaded():
        yield Finding("model", NOTE, f"auto will convert the downloaded weights, once, and is {pace}")
    else:
        try:
            answer = requests.head(locate.FULL_URL, timeout=_PATIENCE, allow_redirects=True)
        except requests.RequestException:
            text = "auto is the compact model: the full one is not in the cache, and its server cannot be reached"
            yield Finding("model", OK, text)
            return
        if answer.ok:
            text = f"auto downloads {locate.FULL_SIZE}, once, after a question where there is a terminal: {pace}"
            yield Finding("model", NOTE, text)
        else:
            text = f"auto is the compact model: the server of the full one answers HTTP {answer.status_code}"
            yield Finding("model", OK, text)
