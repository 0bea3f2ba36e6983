"""Crops of one person each: those of a folder, and new people made of them."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from tracker.errors import DataError
from tracker.settings.checks import check_whole
from tracker.sources.images import is_image, natural_order
from training.data.recompose import recompose
from training.data.samples import NOBODY, need_folder, read_image

# Digits, camera and sequence; the original marks junk by -1 and distractors by 0000.
MARKET_NAME = re.compile(r"(-1|\d+)_c\d+")
MARKET_JUNK = ("-1", "0000")


class IdentityFolders:
    """Crops of one person each: a sub-folder an identity, or Market-1501's flat layout `0002_c1s1_000451_03.jpg`.

    In the flat layout the identity stands before the first underscore; -1 (junk) and 0000 (distractors) are left out.

    Attributes:
        labels: Name of each identity in the data.

    Raises:
        DataError: The folder is missing or has no crops.
    """

    def __init__(self, folder: Path | str) -> None:
        folder = need_folder(folder, "a sub-folder an identity, or images named like 0002_c1s1_000451_03.jpg")
        self.name = folder.resolve().name
        crops = {(path, path.parent.name) for path in folder.glob("*/*") if is_image(path)}
        for path in filter(is_image, folder.iterdir()):
            match = MARKET_NAME.match(path.name)
            if match is None:
                raise DataError(f"{path}: expected a name like 0002_c1s1_000451_03.jpg, or a sub-folder an identity")
            crops.add((path, match[1]))
        ordered = sorted(crops, key=lambda crop: natural_order(crop[0]))
        self._crops = [crop for crop in ordered if crop[1] not in MARKET_JUNK]
        if not self._crops:
            raise DataError(f"{folder}: has no crops; expected a sub-folder an identity, or 0002_c1s1_000451_03.jpg")
        self.labels = list(dict.fromkeys(label for _, label in self._crops))
        self.identities = len(self.labels)
        self._number = {label: number for number, label in enumerate(self.labels)}

    def __len__(self) -> int:
        return len(self._crops)

    def __getitem__(self, index: int) -> tuple[Path, int]:
        path, label = self._crops[index]
        return path, self._number[label]

    def read(self, index: int) -> tuple[np.ndarray, int]:
        """Read a crop.

        Returns:
            [H, W, 3] uint8 BGR, and its identity.

        Raises:
            DataError: The image is damaged.
        """
        path, identity = self[index]
        return read_image(path), identity


class RecomposedPeople:
    """New people made of a folder of crops, the same ones every time; their identities are unknown.

    Args:
        folder: Folder of crops in a layout of `IdentityFolders`.
        times: How many people are made from every crop.

    Raises:
        DataError: The folder is missing or has no crops.
        OptionError: ``times`` is not a whole number of at least 1.
    """

    def __init__(self, folder: Path | str, times: int = 1) -> None:
        check_whole("times of recomposed people", times)
        self._crops = IdentityFolders(folder)
        self._times = times
        self.name, self.identities = f"{self._crops.name}-recomposed", 0

    def __len__(self) -> int:
        return len(self._crops) * self._times

    def read(self, index: int) -> tuple[np.ndarray, int]:
        """Make a person of two crops.

        Returns:
            [H, W, 3] uint8 BGR, in the size of the crop of the upper part, and the identity -1.

        Raises:
            DataError: One of the two crops cannot be read.
        """
        rng = np.random.default_rng([7, index])
        upper, _ = self._crops.read(index % len(self._crops))
        lower, _ = self._crops.read(int(rng.integers(len(self._crops))))
        return recompose(upper, lower, rng), NOBODY
