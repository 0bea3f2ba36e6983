"""Pack frames, boxes and a teacher's vectors into one small file, to train from with train_torch.py.

    python tools/torch_training/pack_training.py --output PACKED.npz --embeddings REID DATASET/NAME.train...
    python tools/torch_training/pack_training.py --output PACKED.npz --embeddings REID --labels LABELS FRAMES/NAME...

A source is a list of images of tools/prepare_data.py, or a folder of frames 000123.jpg whose boxes are in
LABELS/NAME.npz: `frame` [N] the number of the frame that a box is on, `boxes` [N, 4] left, top, right, bottom in
pixels, `kind` [N] 1 for a person and 0 for neither person nor background. In a list, --boxes completes the labels with
what a teacher finds. Frames are scaled down to 1088x608 at most. The file takes --megabytes at most: the quality of the
JPEG frames is chosen for it.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # so that the script runs from any folder

import numpy as np

from tools.cli import announce, progress, run_tool
from tracker.detection.backends.network import thread_count
from tracker.errors import DataError, ModelError
from tracker.models.npz import load_npz
from tracker.settings.checks import check_positive, check_whole
from training.data.readers import JdeList
from training.data.samples import read_image
from training.pytorch.cutouts import cut_out, eligible
from training.pytorch.packed import PERSON, TaughtFrame, read_packed, write_packed
from training.settings import TeacherSettings
from training.teachers.consensus import BoxTeachers, add_people
from training.teachers.reid import ReidNetwork

LEAST_CROP = (14, 40)  # width and height in pixels of a box with a meaningful vector


class Packer:
    """Reads the frames of sources, asks a teacher for vectors and cuts people out on the way.

    Args:
        settings: The networks that find people, where labels are not to be taken as they are, and make their vectors.
        every: Take frames 0, every, 2 * every, ... of each source.
        cutouts: How many people are cut out at most, one a frame.

    Attributes:
        cutouts: The people cut out so far: image and mask.
    """

    def __init__(self, settings: TeacherSettings, every: int, cutouts: int) -> None:
        threads = thread_count(None)
        self._reid = ReidNetwork(Path(settings.embeddings), threads) if settings.embeddings else None
        self._teachers = BoxTeachers(settings, threads) if settings.detectors else None
        self._complete = settings.complete
        self._every, self._most = check_whole("every", every), check_whole("cutouts", cutouts, low=0)
        self._rng = np.random.default_rng(0)
        self.cutouts: list[tuple[np.ndarray, np.ndarray]] = []

    def from_list(self, path: Path) -> Iterator[TaughtFrame]:
        """Read the frames of a list of images; those that cannot be read are told and left out.

        Raises:
            DataError: The list cannot be read, or an image has no labels and there is no teacher.
        """
        dataset = JdeList(path)
        for index in progress(range(0, len(dataset), self._every), dataset.name, "frames"):
            try:
                sample = dataset[index]
            except DataError as error:
                announce(f"skipped: {error}")
                continue
            if self._teachers is not None:
                sample = add_people(sample, self._teachers(sample.image), self._complete)
            elif not sample.labelled:
                raise DataError(f"{sample.path} has no labels: --boxes names a network that finds people")
            yield self._frame(dataset.name, index, sample.image, sample.boxes, sample.ignored)

    def from_folder(self, folder: Path, labels: Path, before: int | None) -> Iterator[TaughtFrame]:
        """Read the frames of a folder with a file of boxes.

        Args:
            folder: Of frames, ``000123.jpg``.
            labels: The ``.npz`` file.
            before: Frames from this number on are left out; None for none.

        Raises:
            DataError: The labels or a frame cannot be read.
        """
        try:
            arrays = load_npz(labels, "file of labels")
            numbers, boxes, ignored = arrays["frame"], arrays["boxes"], arrays["kind"] != PERSON
        except ModelError as error:
            raise DataError(str(error)) from error
        except KeyError as error:
            raise DataError(f"{labels} has no array {error}; expected frame, boxes and kind") from error
        if boxes.shape != (len(numbers), 4) or ignored.shape != numbers.shape:
            raise DataError(f"{labels} is damaged: its arrays do not belong together")
        files = [file for file in sorted(folder.glob("*.jpg")) if file.stem.isdecimal()]
        if not files:
            raise DataError(f"{folder} has no frames named 000123.jpg")
        files = [file for file in files[:: self._every] if before is None or int(file.stem) < before]
        for file in progress(files, folder.name, "frames"):
            here = numbers == int(file.stem)
            yield self._frame(folder.name, int(file.stem), read_image(file), boxes[here], ignored[here])

    def _frame(
        self, source: str, number: int, image: np.ndarray, boxes: np.ndarray, ignored: np.ndarray
    ) -> TaughtFrame:
        inside = boxes.clip(0, np.tile(image.shape[1::-1], 2))
        large = (inside[:, 2:] - inside[:, :2] >= LEAST_CROP).all(axis=1)
        vectors = np.zeros((len(boxes), self._reid.dimension if self._reid else 0), np.float32)
        if self._reid and (large & ~ignored).any():
            vectors[large & ~ignored] = self._reid.embed(image, boxes[large & ~ignored])
        candidates = eligible(image, boxes, ignored)
        if len(candidates) and len(self.cutouts) < self._most:
            person = cut_out(image, boxes[self._rng.choice(candidates)])
            if person is not None:
                self.cutouts.append(person)
        return TaughtFrame(source, number, image, boxes, ignored, vectors)


def _before(text: str) -> tuple[str, int]:
    name, _, number = text.rpartition("=")
    if not (name and number.isdecimal()):
        raise argparse.ArgumentTypeError(f"expected NAME=FRAME, got {text!r}")
    return name, int(number)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command line."""
    parser.add_argument("sources", metavar="SOURCE", type=Path, nargs="+", help="NAME.train, or a folder of frames")
    parser.add_argument("--output", type=Path, required=True, help="the .npz file to write")
    parser.add_argument("--labels", type=Path, help="folder of NAME.npz, the boxes of folders of frames")
    parser.add_argument("--embeddings", help="network that makes vectors of people (default: no vectors)")
    parser.add_argument(
        "--boxes",
        action="append",
        default=[],
        metavar="FILE[:CLASS][@WxH]",
        help="network that finds people whom a list lacks, see teachers.boxes of training; repeatable",
    )
    parser.add_argument("--complete", action="store_true", help="let --boxes add people to labels, not ignored regions")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="take every Nth frame (default: %(default)s)")
    parser.add_argument(
        "--before", metavar="NAME=FRAME", type=_before, action="append", default=[], help="leave out a folder's end"
    )
    parser.add_argument("--cutouts", type=int, default=500, help="people to cut out at most (default: %(default)s)")
    parser.add_argument("--megabytes", type=float, default=36, help="most that the file takes (default: %(default)s)")


def run(arguments: argparse.Namespace) -> None:
    """Pack what the command line names, and print what the file holds."""
    check_positive("megabytes", arguments.megabytes)
    teachers = TeacherSettings(boxes=arguments.boxes, embeddings=arguments.embeddings, complete=arguments.complete)
    packer = Packer(teachers, arguments.every, arguments.cutouts)
    before = dict(arguments.before)
    unknown = set(before) - {source.name for source in arguments.sources}
    if unknown:
        raise DataError(f"--before names {', '.join(sorted(unknown))}, which is no source")

    def frames() -> Iterator[TaughtFrame]:
        for source in arguments.sources:
            if not source.is_dir():
                yield from packer.from_list(source)
            elif arguments.labels is None:
                raise DataError(f"{source} is a folder of frames: --labels FOLDER has their boxes")
            else:
                labels = arguments.labels / f"{source.name}.npz"
                yield from packer.from_folder(source, labels, before.get(source.name))

    quality = write_packed(arguments.output, frames(), arguments.megabytes, packer.cutouts)
    packed = read_packed(arguments.output)
    counts = np.bincount(packed.source, minlength=len(packed.sources))
    print(", ".join(f"{name} {count}" for name, count in zip(packed.sources, counts)))
    people = int((packed.kinds == PERSON).sum())
    print(
        f"{arguments.output}: {arguments.output.stat().st_size / 1e6:.1f} MB, {len(packed.frames)} frames of quality "
        f"{quality}, {people} people, {len(packed.kinds) - people} ignored, {len(packed.vectors)} vectors, "
        f"{len(packed.cutouts)} cut out"
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    return run_tool(__doc__, add_arguments, run, argv)


if __name__ == "__main__":
    sys.exit(main())
