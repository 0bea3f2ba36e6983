"""Turn training material into one dataset folder, in the layout of Towards-Realtime-MOT.

    python tools/prepare_data.py --output DATASET SOURCE...

A source is a folder, a .tar (optionally compressed) or a video. The kind of a folder is recognised by its contents,
which may lie several levels down: MOTChallenge sequences, Penn-Fudan or PASCAL VOC annotation, YOLO labels,
bboxes_gt.txt, crops by identity. Every Nth frame of a video (--every N) is taken, without labels. The output:

    DATASET/manifest.json                                   what came from where, and what was skipped
    DATASET/NAME.train                                      list of images, relative to DATASET
    DATASET/NAME/images/*.jpg, labels_with_ids/*.txt        see JdeList in training/data/readers.py
    DATASET/NAME/identities/ID/*.jpg                        crops; see IdentityFolders there
    DATASET/validation/SEQUENCE/{img1,gt/gt.txt,seqinfo.ini} the held-back ends of MOTChallenge sequences
"""

from __future__ import annotations

import argparse
import contextlib
import json
import re
import sys
import tarfile
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # so that the script runs from any folder

from tools.cli import announce, progress, run_tool
from tracker.errors import DataError, OptionError, OutputError, SourceError
from tracker.sources import open_source
from tracker.sources.images import is_image
from training.data.archives import unpack
from training.data.crops import MARKET_NAME, IdentityFolders
from training.data.readers import READERS, MotSequence
from training.data.samples import make_sample
from training.data.writer import Found, Writer, file_name

ARCHIVES = (".tar", ".tgz", ".tbz", ".tbz2", ".txz", ".gz", ".bz2", ".xz")  # other files may be .tar too, or videos
EVALUATION = "PETS09-S2L1"  # the sequence that the module is scored on: never to be trained with
LICENCES = (  # searched for at the start of a name, ignoring case
    (r"(TUD|ETH|ADL|KITTI|Venice|PETS09|AVG)-|MOT(15|16|17|20)", "CC BY-NC-SA 3.0 (MOTChallenge)"),
    (r"market-?1501|bounding_box_", "research only"),
    (r"penn-?fudan", "academic"),
    (r"coco", "COCO terms"),
)


def find_datasets(source: Path, scratch: Path) -> list[Found]:
    """List the datasets of a source.

    Args:
        source: folder, archive or video.
        scratch: existing folder; an archive is unpacked into a new folder in it.

    Returns:
        What was recognised, in the order of their paths.

    Raises:
        DataError: the source is missing, damaged, unsafe to unpack, or nothing in it is recognised.
    """
    if source.is_dir():
        folder, unpacked = source, None
    elif source.is_file() and not _is_archive(source):
        _check_video(source)
        return [Found("video", file_name(source.stem), source, str(source))]
    elif source.is_file():
        # named like the archive, which names a dataset that lies at its top
        folder = unpacked = Path(tempfile.mkdtemp(dir=scratch), file_name(re.sub(r"(\.tar)?\.\w+$", "", source.name)))
        announce(f"unpacking {source}")
        unpack(source, folder)
    else:
        raise DataError(f"{source}: does not exist; expected a folder, a .tar or a video")
    datasets = [
        Found(kind, file_name(path.resolve().name), path, str(source), unpacked) for kind, path in _walk(folder)
    ]
    if not datasets:
        raise DataError(
            f"{source}: no known dataset in it; expected MOTChallenge sequences, images with YOLO labels/ or PASCAL "
            "annotation/, bboxes_gt.txt, or crops by identity"
        )
    return datasets


def _is_archive(file: Path) -> bool:
    return file.suffix.lower() in ARCHIVES or tarfile.is_tarfile(file)


def _check_video(file: Path) -> None:
    """Refuse a file that the tracker does not read as a video."""
    if is_image(file):
        raise DataError(f"{file}: is a single image; give the folder that it is in, with its labels")
    try:
        open_source(file).close()
    except SourceError as error:
        raise DataError(f"{file}: is neither a .tar nor a video ({error})") from None


def _walk(folder: Path) -> Iterator[tuple[str, Path]]:
    kind = recognise(folder)
    if kind is not None:
        yield kind, folder
        return
    for path in sorted(folder.iterdir()):
        if path.is_dir() and not path.is_symlink():
            yield from _walk(path)


def recognise(folder: Path) -> str | None:
    """Return the kind of dataset that a folder holds, a key of `READERS`, or None where it holds none."""
    entries = sorted(folder.iterdir())
    folders = {path.name.lower(): path for path in entries if path.is_dir()}
    if (folder / "gt" / "gt.txt").is_file():
        return "mot"
    if (folder / "bboxes_gt.txt").is_file():
        return "siwr"
    if "annotation" in folders or "annotations" in folders:
        return "pascal"
    if "images" in folders and "labels" in folders:
        return "yolo"
    images = [path for path in entries if is_image(path)]
    by_name = bool(images) and all(MARKET_NAME.match(path.name) for path in images)
    by_folder = bool(folders) and all(
        name.isdecimal() and any(map(is_image, path.iterdir())) for name, path in folders.items()
    )
    return "identities" if (by_name and not folders) or (by_folder and not images) else None


def prepare(
    sources: Sequence[Path],
    output: Path,
    hold_back: float = 0.2,
    hold_back_whole: Sequence[str] = (),
    licences: Mapping[str, str] | None = None,
    every: int = 5,
    overwrite: bool = False,
) -> dict[str, Any]:
    """Make the dataset folder; on failure nothing of it is left.

    Args:
        sources: folders, archives and videos.
        output: the folder to make.
        hold_back: fraction of frames at the end of every MOTChallenge sequence that goes to validation, in [0, 1).
        hold_back_whole: names of sequences that go there as a whole.
        licences: texts by name of the dataset, instead of the known ones.
        every: take frames 0, every, 2 * every, ... of a video.
        overwrite: replace `output` if an earlier run made it.

    Returns:
        The manifest.

    Raises:
        OptionError: an option is out of its range, or names something that is not there.
        DataError: a source cannot be used.
        OutputError: `output` exists or cannot be written.
    """
    licences, output = dict(licences or {}), Path(output)
    if not 0 <= hold_back < 1:
        raise OptionError(f"hold_back must be at least 0 and below 1, got {hold_back}")
    if every < 1:
        raise OptionError(f"every must be at least 1, got {every}")
    _check_output(output, sources, overwrite)
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=output.parent, prefix=f".{output.name}.") as scratch:
            datasets = [item for source in sources for item in find_datasets(Path(source), Path(scratch))]
            _check_names(datasets, hold_back_whole, licences)
            build = Path(scratch, "dataset")
            build.mkdir()
            entries = []
            for item in datasets:
                writer = Writer(item, build)
                _write(item, writer, 1.0 if item.name in hold_back_whole else hold_back, every)
                entries.append(writer.finish(licences.get(item.name) or _known_licence(item.name)))
            counts = ("images", "boxes", "ignored_boxes", "identities")
            totals = {count: sum(entry[count] for entry in entries) for count in counts}
            totals["held_back_frames"] = sum(e["held_back"]["frames"] for e in entries if e["held_back"])
            totals["skipped"] = sum(len(entry["skipped"]) for entry in entries)
            manifest = {"sources": entries, "totals": totals}
            text = json.dumps(manifest, indent=2, ensure_ascii=False)
            (build / "manifest.json").write_text(f"{text}\n", encoding="utf-8")
            _put(build, output, Path(scratch, "replaced"))
    except OSError as error:
        raise OutputError(f"{output}: cannot be made ({error})") from error
    return manifest


def _put(build: Path, output: Path, replaced: Path) -> None:
    """Move the finished folder into place; what was there goes to `replaced`, or stays where that fails."""
    if not output.exists():
        build.rename(output)
        return
    output.rename(replaced)
    try:
        build.rename(output)
    except OSError:
        replaced.rename(output)
        raise


def _check_output(output: Path, sources: Sequence[Path], overwrite: bool) -> None:
    if output.exists() and not output.is_dir():
        raise OutputError(f"{output}: is a file; give a folder to make")
    for source in sources:
        if output.resolve() in (Path(source).resolve(), *Path(source).resolve().parents):
            raise OutputError(f"{output}: holds the source {source}; give another folder")
    if output.is_dir() and any(output.iterdir()):
        if not overwrite:
            raise OutputError(f"{output}: is not empty; give another folder, or --overwrite")
        if not (output / "manifest.json").is_file():
            raise OutputError(f"{output}: has no manifest.json, so that it is not overwritten; give another folder")


def _check_names(datasets: Sequence[Found], hold_back_whole: Sequence[str], licences: Mapping[str, str]) -> None:
    origins = {"validation": "the held-back sequences"}
    for item in datasets:
        if _is_evaluation(item):
            raise DataError(f"{item.origin}: holds {EVALUATION}, which is kept for evaluation; leave it out")
        if item.name.lower() in origins:
            raise DataError(f"{item.origin}: the name {item.name} is taken by {origins[item.name.lower()]}; rename it")
        origins[item.name.lower()] = item.origin
    names = {item.name: item.kind for item in datasets}
    for name in hold_back_whole:
        if names.get(name) != "mot":
            raise OptionError(f"hold_back_whole: {name!r} is no MOTChallenge sequence of the sources")
    for name in licences:
        if name not in names:
            raise OptionError(f"licence: no dataset is named {name!r}; there are {', '.join(names)}")


def _is_evaluation(dataset: Found) -> bool:
    # by the folder of a video and by seqinfo.ini too, for a renamed file still has the same content
    names = [dataset.name, dataset.path.resolve().parent.name]
    with contextlib.suppress(OSError, UnicodeDecodeError):
        names += re.findall(r"^\s*name\s*=(.*)$", (dataset.path / "seqinfo.ini").read_text(), re.MULTILINE)
    return any(re.sub(r"\W|_", "", name).upper() == re.sub(r"\W", "", EVALUATION) for name in names)


def _known_licence(name: str) -> str:
    return next((text for pattern, text in LICENCES if re.match(pattern, name, re.IGNORECASE)), "unstated")


def _write(found: Found, writer: Writer, hold_back: float, every: int) -> None:
    if found.kind == "video":
        _write_video(found, writer, every)
        return
    try:
        dataset = READERS[found.kind](found.path)
    except DataError as error:
        raise DataError(found.shown(error)) from None
    held = round(len(dataset) * hold_back) if isinstance(dataset, MotSequence) else 0
    for index in progress(range(len(dataset) - held), found.name, "images"):
        try:
            if isinstance(dataset, IdentityFolders):
                path, identity = dataset[index]
                writer.add_crop(path, dataset.labels[identity])
            else:
                writer.add(dataset[index])
        except DataError as error:
            writer.skip(error)
    if held:
        indices = range(len(dataset) - held, len(dataset))
        writer.hold_back(dataset, progress(indices, f"{found.name}, held back", "images"))


def _write_video(found: Found, writer: Writer, every: int) -> None:
    try:
        with open_source(found.path) as source:
            for frame in progress(source, found.name, "frames", source.frame_count):
                if frame.index % every == 0:
                    name = Path(f"{found.name}_{frame.index:06d}")
                    writer.add(make_sample(name, frame.image, labelled=False))
            if source.skipped:
                writer.skip(f"{found.path}: {source.skipped} damaged frames")
    except SourceError as error:
        raise DataError(str(error)) from None


def _licence(text: str) -> tuple[str, str]:
    name, equals, licence = text.partition("=")
    if not (name and equals and licence):
        raise argparse.ArgumentTypeError(f"expected NAME=TEXT, got {text!r}")
    return name, licence


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command line."""
    parser.add_argument("sources", metavar="SOURCE", type=Path, nargs="+", help="folder, .tar or video")
    parser.add_argument("--output", type=Path, required=True, help="dataset folder to make")
    parser.add_argument(
        "--hold_back", type=float, default=0.2, help="fraction at the end of every sequence (default %(default)s)"
    )
    parser.add_argument("--hold_back_whole", metavar="SEQUENCE", action="append", default=[], help="repeatable")
    parser.add_argument("--licence", metavar="NAME=TEXT", type=_licence, action="append", default=[], help="repeatable")
    parser.add_argument(
        "--every", type=int, default=5, metavar="N", help="take every Nth frame of videos (default %(default)s)"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace the output of an earlier run")


def run(arguments: argparse.Namespace) -> None:
    """Make the dataset folder that the command line asks for, and print what it holds."""
    options = dict(vars(arguments))
    options["licences"] = dict(options.pop("licence"))
    manifest = prepare(**options)
    for entry in manifest["sources"]:
        held = entry["held_back"]["frames"] if entry["held_back"] else 0
        print(
            f"{entry['name']}: {entry['images']} images, {entry['boxes']} boxes, {entry['ignored_boxes']} ignored, "
            f"{entry['identities']} identities, {held} frames held back, {len(entry['skipped'])} skipped"
        )


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    return run_tool(__doc__, add_arguments, run, argv)


if __name__ == "__main__":
    sys.exit(main())
