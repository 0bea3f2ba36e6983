"""Which inference model: the bundled compact one, the full one from the cache, or one made from given weights."""

from __future__ import annotations

import hashlib
import logging
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import filelock

from ..errors import ModelError, OptionError, OutputError
from ..settings.files import read_mapping
from .download import download, file_digest

logger = logging.getLogger(__name__)

ROOT = Path(__file__).resolve().parents[2]
COMPACT = ROOT / "weights" / "jde_compact"
FULL_CONFIG = ROOT / "config" / "jde_darknet53_30e_1088x608.yml"
FULL_URL = "https://paddledet.bj.bcebos.com/models/mot/jde_darknet53_30e_1088x608.pdparams"


def cache_folder() -> Path:
    """Where downloaded and converted weights are kept, beside PaddleHub's own data."""
    return Path(os.environ.get("HUB_HOME") or Path.home() / ".paddlehub") / "cache" / "jde_darknet53_30e_1088x608"


def find_model(model: str | os.PathLike = "auto", progress: bool | None = None) -> Path:
    """The inference folder of a model.

    Args:
        model: ``auto``, ``full``, ``compact``; or a path or URL of a ``.pdparams`` file of the full network; or an
            inference folder. ``auto`` is the full model when it is cached or can be downloaded, else the compact one.
        progress: show a bar while downloading; None for when there is a terminal.

    Returns:
        A folder whose files are whole.

    Raises:
        OptionError: model is no such thing.
        ModelError: the model cannot be had, or its files are damaged or belong to another network.
    """
    if not isinstance(model, (str, os.PathLike)) or not os.fspath(model):
        raise OptionError(f"model must be auto, full, compact or a path, not {model!r}")
    name = os.fspath(model)
    if name == "compact":
        return verified(COMPACT)
    if name == "full":
        return verified(_full(progress))
    if name == "auto":
        return verified(_auto(progress))
    if re.match(r"https?://", name):
        target = cache_folder() / "downloads" / _url_file_name(name)
        return verified(_converted(download(name, target, progress=progress)))
    try:
        path = Path(name).expanduser()
    except RuntimeError:  # the home of a user who does not exist
        path = Path(name)
    if path.is_dir():
        return verified(path)
    if path.is_file() and path.suffix == ".pdparams":
        return verified(_converted(path))
    if path.exists():
        raise ModelError(f"{path} is neither a .pdparams file nor an inference folder")
    raise ModelError(f"there is no model {name!r}: give auto, full, compact, or the path of a .pdparams file or folder")


def verified(folder: Path) -> Path:
    """The folder, when its files have the digests that its ``infer_cfg.yml`` states.

    Raises:
        ModelError: a file is missing or damaged.
    """
    try:
        digests = read_mapping(folder / "infer_cfg.yml").get("sha256", {})
    except OptionError as error:
        raise ModelError(f"{folder} is no model folder: {error}") from error
    if not isinstance(digests, dict):
        raise ModelError(f"{folder / 'infer_cfg.yml'} states no digests under sha256; {_remedy(folder)}")
    for name, expected in digests.items():
        path = folder / str(name)
        if not path.is_file():
            raise ModelError(f"{folder} is incomplete: {name} is missing; {_remedy(folder)}")
        if _digest(path) != expected:
            raise ModelError(f"{path} is damaged: its sha256 is not the one in infer_cfg.yml; {_remedy(folder)}")
    return folder


def _remedy(folder: Path) -> str:
    if cache_folder() in folder.parents:
        return f"delete {folder} and run again"
    return "install the module again" if folder == COMPACT else "export the model again"


def _auto(progress: bool | None) -> Path:
    try:
        return _full(progress)
    except (ModelError, OutputError) as error:
        logger.warning(
            "using the bundled compact model: the full one is not at hand (%s). To have it, put %s somewhere and "
            "pass its path as model (--model FILE), or choose --model compact to silence this.",
            error,
            FULL_URL.rsplit("/", 1)[1],
        )
        return COMPACT


def _full(progress: bool | None) -> Path:
    folder = cache_folder() / "full"
    if (folder / "infer_cfg.yml").is_file():
        return folder
    weights = download(FULL_URL, cache_folder() / "downloads" / FULL_URL.rsplit("/", 1)[1], progress=progress)
    return _export(weights, folder)


def _converted(weights: Path) -> Path:
    """The inference folder of a weights file, made on the first use of its contents."""
    folder = cache_folder() / f"{weights.stem}-{_digest(weights)[:16]}"
    return folder if (folder / "infer_cfg.yml").is_file() else _export(weights, folder)


def _export(weights: Path, folder: Path) -> Path:
    """Convert in a process of its own: it needs ppdet, dynamic mode and a flag that is read when paddle is imported."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(f"{folder}.lock"):
            if (folder / "infer_cfg.yml").is_file():
                return folder
            for leftover in folder.parent.glob(f".{folder.name}.*"):  # of a conversion that was killed
                shutil.rmtree(leftover, ignore_errors=True)
            logger.info("converting %s for inference, once", weights)
            command = [sys.executable, str(ROOT / "tools" / "export_model.py"), "--config", str(FULL_CONFIG)]
            command += ["--weights", str(weights), "--output", str(folder)]
            done = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    except OSError as error:
        raise ModelError(
            f"cannot convert {weights} in {folder.parent}: {error.strerror}; set HUB_HOME to a folder with room"
        ) from error
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1].removeprefix("error: ")
        if done.returncode < 0:  # ended by a signal: what it printed last explains nothing
            last = f"the conversion of {weights} crashed (signal {-done.returncode}), the file may be damaged"
        again = f"; delete {weights} to have it downloaded again" if cache_folder() in weights.parents else ""
        raise ModelError(f"{last}{again}")
    return folder


def _url_file_name(url: str) -> str:
    """A file name for the cache that two different URLs do not share."""
    stem = re.sub(r"[^\w.-]", "_", url.split("?")[0].rsplit("/", 1)[-1])
    return f"{hashlib.sha256(url.encode()).hexdigest()[:8]}-{stem}"


def _digest(path: Path) -> str:
    try:
        return file_digest(path)
    except OSError as error:
        raise ModelError(f"cannot read {path}: {error.strerror}") from error
