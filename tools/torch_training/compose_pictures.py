"""Make up training pictures of a few pictures and clips: people cut out of them stand in crowds before parts of them.

    python tools/torch_training/compose_pictures.py --output MADE/one --boxes A.xml --boxes B.xml:1 PICTURES
    python tools/torch_training/pack_training.py --output PACKED.npz --labels MADE MADE/one

A source is a picture, a clip or a folder of both. The networks of --boxes find the people who are cut out, and are
asked about every finished picture: a person is whom two of them find with a mean score of .3 or one with .6, and from
.2 on who was pasted there; whatever else they find, and who was pasted and is not found, is ignored. The output is what
pack_training.py --labels takes: a folder of frames, OUTPUT/000000.jpg, and their boxes beside it, OUTPUT.npz. The same
sources and --seed make the same pictures. Several runs with other seeds or sizes can be packed together.
"""

from __future__ import annotations

import argparse
import contextlib
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # so that the script runs from any folder

import cv2
import numpy as np

from tools.cli import announce, progress, run_tool
from tracker.detection.backends.network import thread_count
from tracker.errors import DataError, OptionError, OutputError, SourceError
from tracker.library.batch.clips import VIDEO_SUFFIXES
from tracker.settings.checks import check_whole, shown
from tracker.sources import open_source
from tracker.sources.images import is_image, natural_order
from training.checkpoint import save_arrays
from training.data.composed import MOVING, Composed, Cutout, Material, compose
from training.data.samples import read_image
from training.pytorch.cutouts import covered_by_others, cut_out
from training.pytorch.packed import IGNORED, PERSON
from training.settings import TeacherSettings
from training.teachers.detectors import Detector, TiledDetector
from training.teachers.pasted import find_people, label_composed

LONGEST = 1400  # pixels of a picture's longer side; larger ones are scaled down
CUTOUT_HEIGHT = 480  # pixels that a crop is scaled down to
LEAST = (14, 40)  # width and height in pixels of somebody who is cut out
SLENDER = (1.15, 5.0)  # least and largest ratio of height to width
COVERED = 0.35  # share of the box that other people may cover
MOST_PICTURES, MOST_PEOPLE = 300, 2000  # that are kept, of pictures and of clips; more are thinned out
SIDES = (64, 2048)  # of a made-up picture, pixels
QUALITY = 95  # of JPEG


class Few:
    """A list that thins itself out evenly, however many items are added: it keeps every 2nd, 4th, 8th...

    Args:
        most: Items that it keeps.
    """

    def __init__(self, most: int) -> None:
        self.items: list = []
        self._most, self._step, self._seen = most, 1, 0

    def add(self, item: object) -> None:
        """Add an item, or not."""
        if self._seen % self._step == 0:
            self.items.append(item)
        self._seen += 1
        if len(self.items) > self._most:
            del self.items[1::2]
            self._step *= 2


class Gatherer:
    """Takes pictures, frames of clips and the people in them from files.

    Args:
        detectors: Find the people.
        every: Take frames 0, every, 2 * every, ... of each clip.
    """

    def __init__(self, detectors: Sequence[Detector], every: int) -> None:
        self._detectors, self._every = detectors, check_whole("every", every)
        self._images = {False: Few(MOST_PICTURES), True: Few(MOST_PICTURES)}  # of clips or not
        self._people = {False: Few(MOST_PEOPLE), True: Few(MOST_PEOPLE)}

    def gather(self, sources: Sequence[Path]) -> Material:
        """Read pictures, clips and folders of them; files that cannot be read are told and left out.

        Raises:
            DataError: A source is missing or has neither pictures nor clips, or nobody could be cut out.
            ModelError: A network's output has another shape.
        """
        for file in progress([file for source in sources for file in _files(source)], "reading", "files"):
            try:
                for image in self._clip(file) if not is_image(file) else [read_image(file)]:
                    self._look(image, not is_image(file))
            except (DataError, SourceError) as error:
                announce(f"skipped: {error}")
        pictures, frames = self._images[False].items, self._images[True].items
        people = self._people[False].items + self._people[True].items
        if not people:
            raise DataError(
                f"nobody could be cut out of {len(pictures)} pictures and {len(frames)} frames of clips: add some with "
                f"people who are at least {LEAST[1]} pixels tall and stand free"
            )
        return Material(pictures, frames, people)

    def _clip(self, file: Path) -> Iterator[np.ndarray]:
        with open_source(file) as clip:
            for frame in clip:
                if frame.index % self._every == 0:
                    yield frame.image

    def _look(self, image: np.ndarray, of_clip: bool) -> None:
        scale = LONGEST / max(image.shape)
        if scale < 1:
            image = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        self._images[of_clip].add(image)
        boxes, _, _, person = find_people([detector(image) for detector in self._detectors])
        for box in boxes[person][_free(boxes[person])]:
            cv2.setRNGSeed(0)  # GrabCut draws numbers
            cut = cut_out(image, box, CUTOUT_HEIGHT)
            if cut is not None:
                mask = np.rint(cut[1] * 255).astype(np.uint8)
                self._people[of_clip].add(Cutout(cut[0], mask, MOVING if of_clip else 1.0))


def _free(boxes: np.ndarray) -> np.ndarray:
    """Tell which people [N, 4] are large enough, of a standing person's shape, and not much covered: [N] bool."""
    width, height = (boxes[:, 2:] - boxes[:, :2]).T
    good = (width >= LEAST[0]) & (height >= LEAST[1]) & (covered_by_others(boxes) <= COVERED)
    return good & (height >= SLENDER[0] * width) & (height <= SLENDER[1] * width)


def _files(source: Path) -> list[Path]:
    """Return the pictures and clips of a source."""
    if source.is_file():
        return [source]
    if not source.is_dir():
        raise DataError(f"{source}: does not exist; expected a picture, a clip or a folder of them")
    try:
        entries = sorted(source.iterdir(), key=natural_order)
    except OSError as error:
        raise DataError(f"{source}: cannot be read ({error.strerror}); give a folder of pictures or clips") from error
    files = [path for path in entries if is_image(path) or (path.suffix.lower() in VIDEO_SUFFIXES and path.is_file())]
    if not files:
        raise DataError(f"{source}: has no picture and no clip in it; give the folder that they are in")
    return files


class Pictures:
    """A folder of made-up pictures and the file of their boxes, as pack_training.py reads them.

    Args:
        folder: The folder to make.

    Raises:
        OutputError: It exists and is not empty, or cannot be made.
    """

    def __init__(self, folder: Path) -> None:
        self._folder, self._labels = folder, folder.with_name(f"{folder.name}.npz")
        self._counts: list[int] = []
        self._boxes: list[np.ndarray] = []
        self._ignored: list[np.ndarray] = []
        try:
            if folder.is_dir() and any(folder.iterdir()):
                raise OutputError(f"{folder}: is not empty; give another folder")
            if self._labels.exists():
                raise OutputError(f"{self._labels}: exists already; give another folder than {folder}")
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"{folder}: cannot be made ({error.strerror}); give another folder") from error

    def add(self, file: np.ndarray, boxes: np.ndarray, ignored: np.ndarray) -> None:
        """Write a picture, the bytes of a JPEG file, and keep its boxes [N, 4] and which are ignored [N] bool.

        Raises:
            OutputError: It cannot be written.
        """
        path = self._folder / f"{len(self._counts):06d}.jpg"
        try:
            path.write_bytes(file.tobytes())
        except OSError as error:
            path.unlink(missing_ok=True)
            raise OutputError(f"{path} cannot be written: {error.strerror}") from error
        self._counts.append(len(boxes))
        self._boxes.append(boxes)
        self._ignored.append(ignored)

    def finish(self) -> str:
        """Write the boxes of all pictures so far; without any, nothing is left. Return what was made in one line.

        Raises:
            OutputError: The file cannot be written.
        """
        if not self._counts:
            with contextlib.suppress(OSError):
                self._folder.rmdir()
            return f"{self._folder}: no picture"
        boxes, ignored = np.concatenate([np.zeros((0, 4)), *self._boxes]), np.concatenate([[], *self._ignored]) > 0
        numbers = np.repeat(np.arange(len(self._counts)), self._counts)
        kind = np.where(ignored, IGNORED, PERSON).astype(np.uint8)
        save_arrays(self._labels, {"frame": numbers, "boxes": boxes.astype(np.float32), "kind": kind})
        people = int((~ignored).sum())
        return f"{self._folder}: {len(self._counts)} pictures, {people} people, {len(ignored) - people} ignored"


def _size(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"(\d{1,5})x(\d{1,5})", text)
    if match is None:
        raise OptionError(f"size must be WIDTHxHEIGHT, such as 672x384, not {shown(text)}")
    return check_whole("size's width", int(match[1]), *SIDES), check_whole("size's height", int(match[2]), *SIDES)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command line."""
    parser.add_argument("sources", metavar="SOURCE", type=Path, nargs="+", help="picture, clip, or folder of both")
    parser.add_argument("--output", type=Path, required=True, metavar="FOLDER", help="folder of the made-up pictures")
    parser.add_argument(
        "--boxes",
        action="append",
        required=True,
        metavar="FILE[:CLASS][@WxH]",
        help="network that finds people, see teachers.boxes of training; two find more than one alone; repeatable",
    )
    parser.add_argument("--count", type=int, default=1000, metavar="N", help="pictures to make (default: %(default)s)")
    parser.add_argument("--size", default="672x384", metavar="WxH", help="of them, in pixels (default: %(default)s)")
    parser.add_argument(
        "--every", type=int, default=20, metavar="N", help="take every Nth frame of clips (default: %(default)s)"
    )
    parser.add_argument("--seed", type=int, default=0, help="of all random numbers (default: %(default)s)")


def run(arguments: argparse.Namespace) -> None:
    """Make the pictures that the command line asks for, and print what they are; an interrupt leaves those made."""
    width, height = _size(arguments.size)
    count, seed = check_whole("count", arguments.count), check_whole("seed", arguments.seed, low=0)
    threads = thread_count(None)
    settings = TeacherSettings(boxes=arguments.boxes)
    detectors = [TiledDetector(text, threads) for text in settings.detectors]
    gatherer = Gatherer(detectors, arguments.every)
    pictures = Pictures(arguments.output.resolve())
    try:
        material = gatherer.gather(arguments.sources)
        kinds = f"{len(material.pictures)} pictures and {len(material.frames)} frames of clips"
        announce(f"{len(material.people)} people cut out of {kinds}")
        for index in progress(range(count), "composing", "pictures"):
            made = compose(material, height, width, np.random.default_rng([seed, index]))
            file = cv2.imencode(".jpg", made.image, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1].ravel()
            shown_as = cv2.imdecode(file, cv2.IMREAD_COLOR)  # the teachers see what training will
            seen = Composed(shown_as, made.boxes, made.visible)
            pictures.add(file, *label_composed(seen, [detector(shown_as) for detector in detectors]))
    finally:
        told = pictures.finish()
    print(told)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    return run_tool(__doc__, add_arguments, run, argv)


if __name__ == "__main__":
    sys.exit(main())
