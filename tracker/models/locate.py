"""The choice of the inference model: the bundled compact one, the cached full one, or one made from given weights."""

from __future__ import annotations

import hashlib
import importlib.util
import logging
import os
import re
import shutil
from pathlib import Path

import filelock

from ..errors import ModelError, OptionError, OutputError
from ..settings.checks import shown
from ..settings.files import read_mapping
from .child import ROOT
from .download import download, file_digest, note_path
from .export import export_in_child
from .pdparams import check_beginning

logger = logging.getLogger(__name__)

COMPACT = ROOT / "weights" / "jde_compact"
FULL_CONFIG = ROOT / "config" / "jde_darknet53_30e_1088x608.yml"
FULL_URL = "https://paddledet.bj.bcebos.com/models/mot/jde_darknet53_30e_1088x608.pdparams"
# To be set to the file's digest by whoever can download it and compare it with another source. Until then, the digest
# of the first download is what later ones are compared with.
FULL_SHA256: str | None = None
FULL_SIZE = "293 MB"
# as measured in the README from file to video: the full model in fp32, the compact one from int8 to fp32
FULL_PACE, COMPACT_PACE = "about 0.9 s a frame on two cores", "18 to 40 ms"
CONVERTERS = {"paddle": "paddlepaddle", "ppdet": "paddledet"}  # what makes the full network, by how it is imported
LARGEST_FILE = 1 << 33  # bytes of a file of a model; those of the full network have 300 MB


def cache_folder() -> Path:
    """Return the folder of downloaded and converted weights, beside PaddleHub's own data."""
    return Path(os.environ.get("HUB_HOME") or Path.home() / ".paddlehub") / "cache" / "jde_darknet53_30e_1088x608"


def full_is_cached() -> bool:
    """Return whether the full model is in the cache, ready to be loaded."""
    return (_full_folder() / "infer_cfg.yml").is_file()


def full_is_downloaded() -> bool:
    """Return whether the weights of the full model are in the cache; where they are not, `auto` asks for them."""
    return full_is_cached() or _full_weights().is_file()


def missing_converters() -> list[str]:
    """Return the packages that are not installed, of those that make an inference folder of the full weights."""
    return [name for package, name in CONVERTERS.items() if importlib.util.find_spec(package) is None]


def _full_folder() -> Path:
    return cache_folder() / "full"


def _full_weights() -> Path:
    return cache_folder() / "downloads" / FULL_URL.rsplit("/", 1)[1]


def find_model(model: str | os.PathLike = "auto", progress: bool | None = None) -> Path:
    """Return the inference folder of a model, after downloading and converting its weights where needed.

    Args:
        model: ``auto``, ``full``, ``compact``; or a path or URL of a ``.pdparams`` file of the full network; or an
            inference folder. ``auto`` is the full model when it is cached or can be downloaded, else the compact one;
            nobody is asked, a download is logged as information when it begins.
        progress: Show a bar while downloading: True always, False never, None when stderr is a terminal.

    Returns:
        A folder whose files have the digests that its ``infer_cfg.yml`` states.

    Raises:
        OptionError: ``model`` is empty, or neither text nor a path.
        ModelError: The model does not exist or cannot be downloaded, or its files are damaged or belong to another
            network.
        OutputError: A download cannot be saved.
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
        return verified(_converted(_downloaded(name, target, None, progress)))
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
    """Check that the files of an inference folder have the digests that its ``infer_cfg.yml`` states.

    Args:
        folder: The inference folder.

    Returns:
        The folder.

    Raises:
        ModelError: A file is missing or damaged.
    """
    try:
        digests = read_mapping(folder / "infer_cfg.yml").get("sha256", {})
    except OptionError as error:
        raise ModelError(f"{folder} is no model folder: {error}") from error
    if not isinstance(digests, dict):
        raise ModelError(f"{folder / 'infer_cfg.yml'} states no digests under sha256; {_remedy(folder)}")
    for name, expected in digests.items():
        if not isinstance(name, str) or not re.fullmatch(r"\w[\w.-]{0,99}", name, re.ASCII):
            raise ModelError(f"{folder / 'infer_cfg.yml'} states a digest of {shown(name)}, which is no file beside it")
        path = folder / name
        if not path.is_file():
            raise ModelError(f"{folder} is incomplete: {name} is missing; {_remedy(folder)}")
        if not 0 < path.stat().st_size <= LARGEST_FILE:  # or a link to what has no end
            raise ModelError(f"{path} is damaged: it has {path.stat().st_size} bytes; {_remedy(folder)}")
        if _digest(path) != expected:
            raise ModelError(f"{path} is damaged: its sha256 is not the one in infer_cfg.yml; {_remedy(folder)}")
    return folder


def _remedy(folder: Path) -> str:
    if cache_folder() in folder.parents:
        return f"delete {folder} and run again"
    return "install the module again" if folder == COMPACT else "export the model again"


def _auto(progress: bool | None) -> Path:
    notice = (
        f"model auto downloads the full model, {FULL_SIZE}, once; it takes {FULL_PACE}, the bundled one "
        f"{COMPACT_PACE} (--model compact)"
    )
    try:
        return _full(progress, notice)
    except (ModelError, OutputError) as error:
        logger.warning(
            "using the bundled compact model: the full one is not at hand (%s). To have it, put %s somewhere and "
            "pass its path as model (--model FILE), or choose --model compact to silence this.",
            error,
            FULL_URL.rsplit("/", 1)[1],
        )
        return COMPACT


def _full(progress: bool | None, notice: str | None = None) -> Path:
    if full_is_cached():
        return _full_folder()
    missing = missing_converters()
    if missing:  # told before the download, which would be of no use
        raise ModelError(
            f"the full model is converted by {' and '.join(missing)}, not installed here: "
            "pip install -r requirements.txt"
        )
    weights = _downloaded(FULL_URL, _full_weights(), FULL_SHA256, progress, notice)
    return _convert(weights, _full_folder())


def _downloaded(url: str, target: Path, sha256: str | None, progress: bool | None, notice: str | None = None) -> Path:
    """Download weights; what does not begin as such is thrown away, so that it is asked for again."""
    weights = download(url, target, sha256, progress=progress, notice=notice)
    try:
        check_beginning(weights)
    except ModelError as error:
        for file in (weights, note_path(weights)):
            file.unlink(missing_ok=True)
        raise ModelError(f"{error}; it was thrown away: use another address") from error
    return weights


def _converted(weights: Path) -> Path:
    """Return the inference folder of a weights file, which is made when its contents are used for the first time."""
    folder = cache_folder() / f"{weights.stem}-{_digest(weights)[:16]}"
    return folder if (folder / "infer_cfg.yml").is_file() else _convert(weights, folder)


def _convert(weights: Path, folder: Path) -> Path:
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(f"{folder}.lock"):
            if not (folder / "infer_cfg.yml").is_file():  # another process may have made it meanwhile
                for leftover in folder.parent.glob(f".{folder.name}.*"):  # of a conversion that was killed
                    shutil.rmtree(leftover, ignore_errors=True)
                logger.info("converting %s for inference, once", weights)
                export_in_child(FULL_CONFIG, weights, folder)
    except OSError as error:
        raise ModelError(
            f"cannot convert {weights} in {folder.parent}: {error.strerror}; set HUB_HOME to a folder with room"
        ) from error
    except ModelError as error:
        if cache_folder() not in weights.parents:
            raise
        raise ModelError(
            f"{error}; delete {weights} and {note_path(weights).name} to have it downloaded again"
        ) from error
    return folder


def _url_file_name(url: str) -> str:
    """Return a file name for the cache that two different URLs do not share."""
    stem = re.sub(r"[^\w.-]", "_", url.split("?")[0].rsplit("/", 1)[-1])
    return f"{hashlib.sha256(url.encode()).hexdigest()[:8]}-{stem}"


def _digest(path: Path) -> str:
    try:
        return file_digest(path)
    except OSError as error:
        raise ModelError(f"cannot read {path}: {error.strerror}") from error
