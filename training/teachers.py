"""Teachers: trained ONNX networks that give boxes and embeddings where labels have none.

Their answers for an image never change, so they are computed once and kept on disk.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np

from tracker.boxes import box_iou
from tracker.detection.backends.network import to_floats
from tracker.detection.decode import non_maximum_suppression
from tracker.detection.letterbox import Letterbox
from tracker.errors import DataError, ModelError
from tracker.models.download import file_digest
from tracker.models.npz import load_npz
from tracker.settings.model import LetterboxConfig, Thresholds
from training.checkpoint import save_arrays
from training.data.samples import NOBODY, Dataset, Identities, Sample
from training.onnx_networks import OnnxNetwork, ReidNetwork
from training.settings import TeacherSettings

logger = logging.getLogger(__name__)

STRIDES = (8, 16, 32)
LABEL_IOU = 0.4  # from here on a detection is of the labelled person
LEAST_CROP = (8, 20)  # width and height in pixels of a crop with a meaningful embedding


class BoxTeacher:
    """A YOLOX person detector with undecoded output: cx, cy, w, h, objectness and class scores of every cell.

    The input is the scaled image at the top left, padded with 114; BGR, 0 to 255. The centre of a box is (xy + cell) *
    stride, its size exp(wh) * stride (https://github.com/Megvii-BaseDetection/YOLOX). Class 0 is a person.

    Args:
        path: The .onnx file.
        threads: Processor threads.

    Raises:
        ModelError: onnxruntime is missing, or the file does not hold such a network.
    """

    def __init__(self, path: Path, threads: int) -> None:
        self._path, self._network = path, OnnxNetwork(path, threads)
        shape = self._network.shape
        if len(shape) != 4 or shape[:2] != (1, 3) or shape[2] % STRIDES[-1] or shape[3] % STRIDES[-1]:
            raise ModelError(f"{path} must take images [1, 3, H, W], H and W multiples of 32, not {list(shape)}")
        height, width = shape[2:]
        self._letterbox = Letterbox(LetterboxConfig(height, width, "BGR", 1.0, "top_left", 114, "linear"))
        self._thresholds = Thresholds(score=0.1, nms=0.6, nms_top_k=2000, keep_top_k=500, high_conf_thres=0.5)
        cells = []
        for stride in STRIDES:
            y, x = np.mgrid[: height // stride, : width // stride].reshape(2, -1)
            cells.append(np.stack([x, y, np.full_like(x, stride)], axis=1))
        self._cells = np.concatenate(cells).astype(np.float32)

    def __call__(self, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Detect people.

        Args:
            image: [H, W, 3] uint8 BGR.

        Returns:
            [N, 4] left, top, right, bottom in pixels of the image, and [N] scores.

        Raises:
            ModelError: The network's output has another shape.
        """
        pixels, transform = self._letterbox(image)
        rows = self._network(to_floats(pixels, 1))[0]
        if rows.ndim != 2 or len(rows) != len(self._cells) or rows.shape[1] < 6:
            raise ModelError(f"{self._path} gives {list(rows.shape)}, not [{len(self._cells)}, 6 or more]")
        scores = rows[:, 4] * rows[:, 5]
        candidates = np.flatnonzero(scores > self._thresholds.score)
        stride = self._cells[candidates, 2:]
        centre = (rows[candidates, :2] + self._cells[candidates, :2]) * stride
        half = np.exp(rows[candidates, 2:4]) * stride / 2
        boxes, scores = np.concatenate([centre - half, centre + half], axis=1), scores[candidates]
        kept = non_maximum_suppression(boxes, scores, self._thresholds)
        return transform.to_image(boxes[kept]), scores[kept]


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
        ModelError: onnxruntime is missing, or a file does not hold such a network.
    """

    def __init__(self, settings: TeacherSettings, cache: Path, threads: int) -> None:
        self._settings, self._cache = settings, cache
        self._boxes = BoxTeacher(Path(settings.boxes), threads) if settings.boxes else None
        self._embeddings = ReidNetwork(Path(settings.embeddings), threads) if settings.embeddings else None
        files = [Path(name) for name in (settings.boxes, settings.embeddings) if name]
        self._key = "-".join([*(file_digest(file)[:8] for file in files), f"{settings.sure:g}-{settings.doubtful:g}"])

    def teach(self, dataset: Dataset, origin: str = "") -> TaughtDataset:
        """Add the teachers' boxes to images without labels, ignored regions, and an embedding of every person.

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
        origin_digest = hashlib.sha256(origin.encode()).hexdigest()[:8]
        path = self._cache / f"{dataset.name}-{origin_digest}-{len(dataset)}-{self._key}.npz"
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
            boxes, identities, ignored = sample.boxes, sample.identities, sample.ignored
            if self._boxes is not None:
                detected, scores = self._boxes(sample.image)
                labelled = (box_iou(detected, boxes) > LABEL_IOU).any(axis=1)
                added = (scores > self._settings.doubtful) & ~labelled
                boxes = np.concatenate([boxes, detected[added]]).astype(np.float32)
                identities = np.concatenate([identities, np.full(added.sum(), NOBODY)])
                ignored = np.concatenate([ignored, sample.labelled | (scores[added] < self._settings.sure)])
            elif not sample.labelled:
                raise DataError(
                    f"{sample.path} has no labels: a teacher of boxes is needed, see teachers in the config"
                )
            yield {
                "boxes": boxes,
                "identities": identities,
                "ignored": ignored,
                "vectors": self._embed(sample.image, boxes, ignored),
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
