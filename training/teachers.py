"""Teachers: ready ONNX networks that show a new one what to find and what to tell apart, where no label says so.

What they say of an image never changes, so it is asked once and kept on disk.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from tracker.boxes import iou_distance
from tracker.detection.backends.network import to_floats
from tracker.detection.decode import non_maximum_suppression
from tracker.detection.letterbox import Letterbox
from tracker.errors import DataError, ModelError, OptionError
from tracker.models.download import file_digest
from tracker.models.pdparams import load_npz
from tracker.settings.checks import check_number
from tracker.settings.model import LetterboxConfig, Thresholds
from training.checkpoint import save_arrays
from training.data.samples import NOBODY, Dataset, Identities, Sample
from training.onnx_networks import OnnxNetwork, ReidNetwork

logger = logging.getLogger(__name__)

STRIDES = (8, 16, 32)
SAME = 0.4  # IoU from which a found box is one that a label knows
LEAST_CROP = (8, 20)  # width and height in pixels below which a crop says nothing of a person


class BoxTeacher:
    """A YOLOX detector, without decoding in its graph: rows of cx, cy, w, h, objectness and class scores per cell.

    The image lies at the top left of its input, scaled, the rest is 114; BGR, 0 to 255. The centre is (xy + cell) *
    stride and the size exp(wh) * stride (https://github.com/Megvii-BaseDetection/YOLOX). Class 0 is a person.

    Args:
        path: the .onnx file.
        threads: processor threads.

    Raises:
        ModelError: onnxruntime is missing, or it is no such network.
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
        """Find people in [H, W, 3] uint8 BGR: boxes [N, 4] left, top, right, bottom in its pixels; scores [N]."""
        pixels, transform = self._letterbox(image)
        rows = self._network(to_floats(pixels, 1))[0]
        if rows.ndim != 2 or len(rows) != len(self._cells) or rows.shape[1] < 6:
            raise ModelError(f"{self._path} gives {list(rows.shape)}, not [{len(self._cells)}, 6 or more]")
        scores = rows[:, 4] * rows[:, 5]
        found = np.flatnonzero(scores > self._thresholds.score)
        stride = self._cells[found, 2:]
        centre = (rows[found, :2] + self._cells[found, :2]) * stride
        half = np.exp(rows[found, 2:4]) * stride / 2
        boxes, scores = np.concatenate([centre - half, centre + half], axis=1), scores[found]
        kept = non_maximum_suppression(boxes, scores, self._thresholds)
        return transform.to_image(boxes[kept]), scores[kept]


@dataclass(frozen=True)
class TeacherSettings:
    """What is asked of the teachers; paths of ONNX files, none for no teacher.

    Attributes:
        boxes: finds people, see `BoxTeacher`.
        embeddings: tells people apart, see `ReidNetwork`.
        sure: score from which a found box counts as a person in images without labels.
        doubtful: score from which a found box that no label knows is ignored: labels leave people out.
    """

    boxes: str | None = None
    embeddings: str | None = None
    sure: float = 0.5
    doubtful: float = 0.25

    def __post_init__(self) -> None:
        for name in ("boxes", "embeddings"):
            if not isinstance(getattr(self, name), (str, type(None))):
                raise OptionError(f"teachers.{name} must be the name of a file, not {getattr(self, name)!r}")
        for name in ("sure", "doubtful"):
            check_number(f"teachers.{name}", getattr(self, name), 0, 1)


class _Taught:
    """Those items of a dataset that could be read, with the teachers' answers."""

    def __init__(self, dataset: Dataset | Identities, answers: dict[str, np.ndarray]) -> None:
        self.name, self.identities = dataset.name, dataset.identities
        self._dataset, self._answers = dataset, answers
        self._readable = np.flatnonzero(answers["readable"])
        if not len(self._readable):
            raise DataError(f"{self.name}: all {len(dataset)} images or their labels are damaged")

    @property
    def vectors(self) -> np.ndarray:
        """[K, D] all of the teacher's embeddings."""
        vectors = self._answers["vectors"]
        return vectors[vectors.any(axis=1)]

    def __len__(self) -> int:
        return len(self._readable)


class TaughtDataset(_Taught):
    """A dataset with what the teachers say of it.

    Items are a `Sample` and the vectors [N, D] float32 of its boxes, L2-normalised; zeros where no teacher looked.
    """

    def __getitem__(self, index: int) -> tuple[Sample, np.ndarray]:
        index = self._readable[index]
        part = slice(*self._answers["starts"][index : index + 2])
        boxes, identities, ignored = (self._answers[name][part] for name in ("boxes", "identities", "ignored"))
        sample = replace(self._dataset[index], boxes=boxes, identities=identities, ignored=ignored, labelled=True)
        return sample, self._answers["vectors"][part].astype(np.float32)


class TaughtCrops(_Taught):
    """Crops with the teacher's vectors: items are an image [H, W, 3], its identity and a vector [D]."""

    def __getitem__(self, index: int) -> tuple[np.ndarray, int, np.ndarray]:
        index = self._readable[index]
        image, identity = self._dataset.read(index)
        return image, identity, self._answers["vectors"][self._answers["starts"][index]].astype(np.float32)


class Teachers:
    """Asks the teachers about whole datasets, once.

    Args:
        settings: which teachers.
        cache: folder of their answers.
        threads: processor threads.

    Raises:
        ModelError: onnxruntime is missing, or a file holds no such network.
    """

    def __init__(self, settings: TeacherSettings, cache: Path, threads: int) -> None:
        self._settings, self._cache = settings, cache
        self._boxes = BoxTeacher(Path(settings.boxes), threads) if settings.boxes else None
        self._embeddings = ReidNetwork(Path(settings.embeddings), threads) if settings.embeddings else None
        files = [Path(name) for name in (settings.boxes, settings.embeddings) if name]
        self._key = "-".join([*(file_digest(file)[:8] for file in files), f"{settings.sure:g}-{settings.doubtful:g}"])

    def teach(self, dataset: Dataset, origin: str = "") -> TaughtDataset:
        """A dataset with the teachers' boxes where it has none, doubtful regions, and a vector for every person.

        Args:
            dataset: what to look at.
            origin: where it comes from: answers are kept for the name, the origin and the number of items.
        """
        return TaughtDataset(dataset, self._answers(dataset, origin, self._ask_images(dataset)))

    def teach_crops(self, crops: Identities, origin: str = "") -> TaughtCrops:
        """Crops of people with a vector each; arguments as of `teach`."""
        return TaughtCrops(crops, self._answers(crops, origin, self._ask_crops(crops)))

    def _answers(
        self, dataset: Dataset | Identities, origin: str, items: Iterable[dict[str, np.ndarray] | None]
    ) -> dict[str, np.ndarray]:
        place = hashlib.sha256(origin.encode()).hexdigest()[:8]
        path = self._cache / f"{dataset.name}-{place}-{len(dataset)}-{self._key}.npz"
        if path.is_file():
            return load_npz(path)
        answers = _join(items)
        if answers["readable"].any():  # or what is repaired later would be refused on and on
            save_arrays(path, answers)
        return answers

    def _ask_images(self, dataset: Dataset) -> Iterable[dict[str, np.ndarray] | None]:
        for index in range(len(dataset)):
            try:
                sample = dataset[index]
            except DataError as error:
                logger.warning("skipped: %s", error)
                yield None
                continue
            boxes, identities, ignored = sample.boxes, sample.identities, sample.ignored
            if self._boxes is not None:
                found, scores = self._boxes(sample.image)
                least = self._settings.doubtful
                known = (iou_distance(found, boxes) < 1 - SAME).any(axis=1)
                new, scores = found[(scores > least) & ~known], scores[(scores > least) & ~known]
                doubt = scores < self._settings.sure if not sample.labelled else np.ones(len(new), bool)
                boxes = np.concatenate([boxes, new]).astype(np.float32)
                identities = np.concatenate([identities, np.full(len(new), NOBODY)])
                ignored = np.concatenate([ignored, doubt])
            elif not sample.labelled:
                raise DataError(
                    f"{sample.path} has no labels: a teacher of boxes is needed, see teachers in the config"
                )
            yield {
                "boxes": boxes,
                "identities": identities,
                "ignored": ignored,
                "vectors": self._vectors(sample.image, boxes, ignored),
            }

    def _vectors(self, image: np.ndarray, boxes: np.ndarray, ignored: np.ndarray) -> np.ndarray:
        if self._embeddings is None:
            return np.zeros((len(boxes), 0), np.float16)
        inside = np.clip(boxes, 0, np.array([image.shape[1], image.shape[0]] * 2))
        size = inside[:, 2:] - inside[:, :2]
        seen = np.flatnonzero(~ignored & (size >= LEAST_CROP).all(axis=1))
        vectors = np.zeros((len(boxes), self._embeddings.dimension), np.float16)
        if len(seen):
            vectors[seen] = self._embeddings.embed(image, boxes[seen])
        return vectors

    def _ask_crops(self, crops: Identities) -> Iterable[dict[str, np.ndarray] | None]:
        for index in range(len(crops)):
            try:
                image, _ = crops.read(index)
            except DataError as error:
                logger.warning("skipped: %s", error)
                yield None
                continue
            box = np.array([[0, 0, image.shape[1], image.shape[0]]], np.float32)
            yield {"vectors": self._vectors(image, box, np.zeros(1, bool))}


def _join(items: Iterable[dict[str, np.ndarray] | None]) -> dict[str, np.ndarray]:
    """Arrays of all items one after the other, ``starts`` [count + 1] of each, and which were ``readable``."""
    starts, readable, parts = [0], [], []
    for item in items:
        readable.append(item is not None)
        if item is not None:
            parts.append(item)
        starts.append(starts[-1] + (len(item["vectors"]) if item is not None else 0))
    joined = {name: np.concatenate([part[name] for part in parts]) for name in (parts[0] if parts else ())}
    return {"starts": np.array(starts), "readable": np.array(readable), **joined}
