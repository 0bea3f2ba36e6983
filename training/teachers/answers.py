"""Datasets with the answers of teachers: boxes and embeddings where labels have none.

The answers to a dataset are computed once and kept on disk; so are the boxes of each image, see `BoxTeachers`.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np

from tracker.errors import DataError
from tracker.models.npz import load_npz
from training.checkpoint import save_arrays
from training.data.samples import Dataset, Identities, Sample
from training.settings import TeacherSettings
from training.teachers.consensus import BoxTeachers, add_people
from training.teachers.network import network_digest
from training.teachers.reid import ReidNetwork
from training.teachers.store import digest

logger = logging.getLogger(__name__)

LEAST_CROP = (8, 20)  # width and height in pixels of a crop with a meaningful embedding


class _Taught:
    """The readable items of a dataset, with the teachers' answers."""

    def __init__(self, dataset: Dataset | Identities, answers: dict[str, np.ndarray]) -> None:
        self.name, self.identities = dataset.name, dataset.identities
        self._dataset, self._answers = dataset, answers
        self._readable = np.flatnonzero(answers["readable"])
        if not len(self._readable):
            raise DataError(f"{self.name}: all {len(dataset)} images or their labels are damaged")

    @property
    def teacher_embeddings(self) -> np.ndarray:
        """[K, T] float16, all embeddings of the teacher."""
        vectors = self._answers["vectors"]
        return vectors[vectors.any(axis=1)]

    def __len__(self) -> int:
        return len(self._readable)


class TaughtDataset(_Taught):
    """A dataset with the teachers' answers.

    An item is a `Sample` and [N, T] float32, the teacher embeddings of its boxes, L2-normalised; zeros where there is
    none.
    """

    def __getitem__(self, index: int) -> tuple[Sample, np.ndarray]:
        index = self._readable[index]
        part = slice(*self._answers["starts"][index : index + 2])
        boxes, identities, ignored = (self._answers[name][part] for name in ("boxes", "identities", "ignored"))
        sample = replace(self._dataset[index], boxes=boxes, identities=identities, ignored=ignored, labelled=True)
        return sample, self._answers["vectors"][part].astype(np.float32)


class TaughtCrops(_Taught):
    """Crops with the teacher's embeddings.

    An item is an image [H, W, 3] uint8 BGR, its identity and [T] float32, its teacher embedding.
    """

    def __getitem__(self, index: int) -> tuple[np.ndarray, int, np.ndarray]:
        index = self._readable[index]
        image, identity = self._dataset.read(index)
        return image, identity, self._answers["vectors"][self._answers["starts"][index]].astype(np.float32)


class Teachers:
    """The teachers of a run, which process every dataset once.

    Args:
        settings: Which teachers.
        cache: Folder of their answers.
        threads: Processor threads.

    Raises:
        ModelError: openvino is missing, or a file does not hold such a network.
        OutputError: Answers cannot be kept.
    """

    def __init__(self, settings: TeacherSettings, cache: Path, threads: int) -> None:
        self._complete, self._cache = settings.complete, cache
        self._boxes = BoxTeachers(settings, threads, cache) if settings.detectors else None
        self._embeddings = ReidNetwork(Path(settings.embeddings), threads) if settings.embeddings else None
        self._key = digest(
            self._boxes.digest if self._boxes else "",
            network_digest(self._embeddings.path) if self._embeddings else "",
            str(self._complete),
        )[:16]

    def teach(self, dataset: Dataset, origin: str = "") -> TaughtDataset:
        """Add the people whom labels lack (`add_people`), and an embedding of every person.

        Args:
            dataset: The images.
            origin: Where they come from. Answers are kept by the name, the origin and the number of items.

        Raises:
            DataError: An image has no labels and there is no teacher of boxes, or no image can be read.
            ModelError: Kept answers are damaged.
            OutputError: The answers cannot be kept.
        """
        return TaughtDataset(dataset, self._answers(dataset, origin, self._image_answers(dataset)))

    def teach_crops(self, crops: Identities, origin: str = "") -> TaughtCrops:
        """Add an embedding to every crop.

        Args:
            crops: The crops.
            origin: Where they come from. Answers are kept by the name, the origin and the number of items.

        Raises:
            DataError: No crop can be read.
            ModelError: Kept answers are damaged.
            OutputError: The answers cannot be kept.
        """
        return TaughtCrops(crops, self._answers(crops, origin, self._crop_answers(crops)))

    def _answers(
        self, dataset: Dataset | Identities, origin: str, items: Iterable[dict[str, np.ndarray] | None]
    ) -> dict[str, np.ndarray]:
        path = self._cache / f"{dataset.name}-{digest(origin)[:8]}-{len(dataset)}-{self._key}.npz"
        if path.is_file():
            return load_npz(path)
        answers = _join(items)
        if answers["readable"].any():  # otherwise images repaired later would still count as damaged
            save_arrays(path, answers)
        return answers

    def _image_answers(self, dataset: Dataset) -> Iterable[dict[str, np.ndarray] | None]:
        for index in range(len(dataset)):
            try:
                sample = dataset[index]
            except DataError as error:
                logger.warning("skipped: %s", error)
                yield None
                continue
            if self._boxes is not None:
                sample = add_people(sample, self._boxes(sample.image), self._complete)
            elif not sample.labelled:
                raise DataError(
                    f"{sample.path} has no labels: a teacher of boxes is needed, see teachers in the config"
                )
            yield {
                "boxes": sample.boxes,
                "identities": sample.identities,
                "ignored": sample.ignored,
                "vectors": self._embed(sample.image, sample.boxes, sample.ignored),
            }

    def _embed(self, image: np.ndarray, boxes: np.ndarray, ignored: np.ndarray) -> np.ndarray:
        if self._embeddings is None:
            return np.zeros((len(boxes), 0), np.float16)
        inside = np.clip(boxes, 0, np.array([image.shape[1], image.shape[0]] * 2))
        size = inside[:, 2:] - inside[:, :2]
        visible = np.flatnonzero(~ignored & (size >= LEAST_CROP).all(axis=1))
        embeddings = np.zeros((len(boxes), self._embeddings.dimension), np.float16)
        if len(visible):
            embeddings[visible] = self._embeddings.embed(image, boxes[visible])
        return embeddings

    def _crop_answers(self, crops: Identities) -> Iterable[dict[str, np.ndarray] | None]:
        for index in range(len(crops)):
            try:
                image, _ = crops.read(index)
            except DataError as error:
                logger.warning("skipped: %s", error)
                yield None
                continue
            box = np.array([[0, 0, image.shape[1], image.shape[0]]], np.float32)
            yield {"vectors": self._embed(image, box, np.zeros(1, bool))}


def _join(items: Iterable[dict[str, np.ndarray] | None]) -> dict[str, np.ndarray]:
    """Concatenate the arrays of all items; add the ``starts`` [count + 1] of each, and which are ``readable``."""
    starts, readable, parts = [0], [], []
    for item in items:
        readable.append(item is not None)
        if item is not None:
            parts.append(item)
        starts.append(starts[-1] + (len(item["vectors"]) if item is not None else 0))
    joined = {name: np.concatenate([part[name] for part in parts]) for name in (parts[0] if parts else ())}
    return {"starts": np.array(starts), "readable": np.array(readable), **joined}
