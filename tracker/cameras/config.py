"""The cameras that a file lists.

cameras:
  - name: door                         # of its files
    source: rtsp://10.0.0.8/stream     # or a file, or the number of a camera of this machine
    scene: door.yml                    # optional: a file beside this one, or the same as a mapping
    options: {split: 1h, keep: 7d}     # optional: those of this camera, as of mot_predict
options: {anonymise: head}             # optional: those of all
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..analysis.scene import load_scene
from ..errors import OptionError
from ..settings.checks import check_text, shown
from ..settings.files import read_mapping
from ..sources.opening import readable_again

KEYS = ("name", "source", "scene", "options")
NOT_HERE = ("video_stream", "source", "sources", "sinks", "progress", "json")  # options that a file cannot give
MOST = 1000


@dataclass(frozen=True)
class Camera:
    """A camera, or anything else that frames come from.

    Attributes:
        name: of its files; a plain file name.
        source: as for `Predictor.mot_predict`; a whole number is a camera of this machine.
        options: further arguments of `Predictor.mot_predict`, such as ``scene`` and ``split``.

    Raises:
        OptionError: a value is not accepted.
    """

    name: str
    source: str | int | os.PathLike
    options: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_text("name", self.name)
        if Path(self.name).name != self.name or self.name in (".", "..") or "\\" in self.name:
            raise OptionError(f"name must be a plain file name, not {shown(self.name)}")
        if isinstance(self.source, bool) or not isinstance(self.source, (str, int, os.PathLike)) or self.source == "":
            raise OptionError(f"source must be a file, an address or the number of a camera, not {shown(self.source)}")
        _check_options("options", self.options)

    @property
    def scene_file(self) -> Path | None:
        """The file that the scene is from; None where it has none."""
        scene = self.options.get("scene")
        return Path(scene) if isinstance(scene, (str, os.PathLike)) else None


def read_cameras(path: str | os.PathLike) -> list[Camera]:
    """Return the cameras that a file lists.

    Paths of sources, scenes and tracker_config that are beside the file are taken from there.

    Raises:
        OptionError: it cannot be read, or says something that is not accepted; the message names the key.
    """
    path = Path(path)
    values = read_mapping(path)
    for key in values:
        if key not in ("cameras", "options"):
            raise OptionError(f"{path}: unknown key {shown(key)}; known are cameras and options")
    common, listed = values.get("options") or {}, values.get("cameras")
    if not isinstance(listed, Sequence) or isinstance(listed, str) or not 0 < len(listed) <= MOST:
        raise OptionError(f"{path}: cameras must be a list of name, source, scene and options, not {shown(listed)}")
    try:
        common = _near(_check_options("options", common), path.parent)
    except OptionError as error:
        raise OptionError(f"{path}: {error}") from error
    cameras: list[Camera] = []
    for position, given in enumerate(listed, 1):
        where = f"{path}: camera {position}"
        try:
            if isinstance(given, Mapping) and isinstance(given.get("name"), str):
                where = f"{path}: camera {shown(given['name'])}"
            cameras.append(_camera(given, common, path.parent))
        except OptionError as error:
            raise OptionError(f"{where}: {error}") from error
    check_names(cameras)
    return cameras


def check_names(cameras: Sequence[Camera]) -> None:
    """Check that no two cameras write files of one name.

    Raises:
        OptionError: two do.
    """
    seen: set[str] = set()
    for camera in cameras:
        if camera.name.casefold() in seen:  # some file systems make no difference
            raise OptionError(f"two cameras are called {shown(camera.name)}: give each a name of its own")
        seen.add(camera.name.casefold())


def _camera(given: Any, common: Mapping[str, Any], folder: Path) -> Camera:
    if not isinstance(given, Mapping):
        raise OptionError(f"it must be a mapping with {', '.join(KEYS)}, not {shown(given)}")
    for key in given:
        if key not in KEYS:
            raise OptionError(f"unknown key {shown(key)}; known are {', '.join(KEYS)}")
    for key in ("name", "source"):
        if key not in given:
            raise OptionError(f"{key} is missing")
    source, options = given["source"], _check_options("options", given.get("options") or {})
    own = _near(options, folder)
    if given.get("scene") is not None:
        if "scene" in own:
            raise OptionError("scene is there twice, by itself and in options: give it once")
        own |= _near({"scene": given["scene"]}, folder)
    if own.get("scene") is not None:
        load_scene(own["scene"])  # its mistakes are told before anything begins
    return Camera(given["name"], _beside(source, folder), {**common, **own})


def _check_options(name: str, options: Any) -> Mapping[str, Any]:
    if not isinstance(options, Mapping):
        raise OptionError(f"{name} must be a mapping of names to values, not {shown(options)}")
    for key in options:
        if not isinstance(key, str) or key in NOT_HERE:
            raise OptionError(f"unknown key {shown(key)} in {name}: it takes the options of mot_predict")
    return options


def _near(options: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Return options as mot_predict takes them, with the paths of files beside the one they are from."""
    made = {"except_" if name == "except" else name: value for name, value in options.items()}
    for name in ("scene", "tracker_config"):
        if isinstance(made.get(name), str):
            made[name] = _beside(made[name], folder)
    return made


def _beside(source: Any, folder: Path) -> Any:
    """Return the path of a file that is beside another; anything else as it is."""
    if isinstance(source, str) and source and readable_again(folder / source):
        return str(folder / source)
    return source
