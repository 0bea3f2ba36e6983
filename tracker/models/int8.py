"""The int8 form of a model folder's graphs: its files, and the check that it belongs to the graphs beside it.

tools/quantize.py makes it. OpenVINO runs ``model_int8.xml`` and ``.bin`` in place of ``model.pdmodel``, and likewise
``embed_int8.*``; the record ``int8.yml`` states the sha256 of all of them and of the files they were made from.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from ..errors import ModelError, OptionError
from ..settings.files import read_mapping
from .download import file_digest

GRAPHS = {graph: (f"{graph}_int8.xml", f"{graph}_int8.bin") for graph in ("model", "embed")}  # program, parameters
MADE_FROM = tuple(f"{graph}.{kind}" for graph in GRAPHS for kind in ("pdmodel", "pdiparams"))
PARTS = tuple(name for files in GRAPHS.values() for name in files)
RECORD = "int8.yml"
FILES = (*PARTS, RECORD)  # the record last, see tools/quantize.py


def exists(folder: Path) -> bool:
    """Return whether a model folder has an int8 form, or part of one."""
    return any((folder / name).exists() for name in FILES)


def write_record(folder: Path, details: dict[str, Any]) -> None:
    """Write the record of the graphs in a folder and of their int8 form.

    Args:
        folder: The model folder, with all files but the record.
        details: Further entries of the record.

    Raises:
        OSError: A file cannot be read, or the record cannot be written.
    """
    digests = {
        "made_from": {name: file_digest(folder / name) for name in MADE_FROM},
        "files": {name: file_digest(folder / name) for name in PARTS},
    }
    (folder / RECORD).write_text(yaml.safe_dump({**digests, **details}, sort_keys=False))


def check(folder: Path) -> None:
    """Check that the int8 form can be used in place of the graphs it was made from.

    Args:
        folder: The model folder.

    Raises:
        ModelError: There is no int8 form, a graph has changed since it was made, or a file is damaged.
    """
    command = f"python tools/quantize.py --model {folder} --frames VIDEO"
    for name in FILES:
        if not (folder / name).is_file():
            raise ModelError(f"{folder} has no int8 model ({name} is missing): make it with {command}")
    try:
        record = read_mapping(folder / RECORD)
        expected = {name: record["made_from"][name] for name in MADE_FROM}
        expected |= {name: record["files"][name] for name in PARTS}
        found = {name: file_digest(folder / name) for name in expected}
    except OSError as error:
        raise ModelError(f"{folder} has an int8 model that cannot be read: {error.strerror}") from error
    except (OptionError, KeyError, TypeError) as error:
        raise ModelError(f"{folder / RECORD} is damaged: quantise again with {command}") from error
    for name, digest in expected.items():
        if found[name] != digest:
            problem = "is not the one that the int8 model was made from" if name in MADE_FROM else "is damaged"
            raise ModelError(f"{folder / name} {problem}: quantise again with {command}")
