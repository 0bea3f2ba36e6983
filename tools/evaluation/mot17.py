"""The half-validation of MOT17: the second half of each training sequence, scored as TrackEval does.

The halves are those of CenterTrack (Zhou et al., ECCV 2020) and of ByteTrack: of N frames, numbers from N // 2 + 2 on.
Of the ground truth only pedestrians (class 1) with flag 1 count. Results that match a distractor (a person on a
vehicle, a static person, a distractor, a reflection) at an IoU of .5 are removed; what matches a pedestrian of flag 0
stays, and is a false positive. The three variants of a sequence, one for each public detector, have the same images:
one is taken.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tracker.association.base import SequenceTracker
from tracker.detection.detector import JDEDetector
from tracker.errors import SourceError
from tracker.evaluation.mot_files import (
    CLASS,
    CLASSES,
    FLAG,
    PEDESTRIAN,
    VISIBILITY,
    read_boxes,
    stated_frame_rate,
    stated_length,
)
from tracker.evaluation.mot_metrics import Scored, score_boxes
from tracker.evaluation.stored_detections import with_size
from tracker.settings.tracking import TrackerConfig
from tracker.sinks.mot_text import FRAME, MotWriter
from tracker.sources import Source, open_source
from tracker.structures import Frame

CAR = 3  # a class that is neither counted nor removed
VARIANT = re.compile(r"(.+)-(DPM|FRCNN|SDP)")  # sequence and public detector


@dataclass(frozen=True)
class HalfSequence:
    """The second half of a training sequence.

    Attributes:
        name: of the sequence, without the public detector.
        folder: its folder, with img1, gt/gt.txt and seqinfo.ini.
        first: number of the first frame of the half, from 1.
        gt: [N, 10] true boxes of the half as `read_boxes` returns them, in the classes that TrackEval counts.
    """

    name: str
    folder: Path
    first: int
    gt: np.ndarray


def find_halves(folder: Path) -> list[HalfSequence]:
    """Find the training sequences of MOT17, one variant of each.

    Args:
        folder: MOT17, or its folder ``train``.

    Raises:
        SourceError: there is no sequence with ground truth, or one is incomplete or not of MOT17's form.
    """
    files = sorted(folder.glob("*/gt/gt.txt")) or sorted(folder.glob("train/*/gt/gt.txt"))
    if not files:
        raise SourceError(
            f"{folder}: holds neither SEQUENCE/gt/gt.txt nor train/SEQUENCE/gt/gt.txt; give the folder of MOT17"
        )
    chosen: dict[str, Path] = {}
    for file in files:
        sequence = file.parents[1]
        variant = VARIANT.fullmatch(sequence.name)
        chosen.setdefault(variant[1] if variant else sequence.name, sequence)
    return [_read_half(name, sequence) for name, sequence in chosen.items()]


def _read_half(name: str, folder: Path) -> HalfSequence:
    file = folder / "gt" / "gt.txt"
    length = stated_length(file)
    if not length or stated_frame_rate(file) is None:
        raise SourceError(f"{folder / 'seqinfo.ini'}: must state seqLength and frameRate, for the halves and the time")
    gt = read_boxes(file)
    visibility = gt[:, VISIBILITY]
    if not (np.isin(gt[:, CLASS], CLASSES).all() and ((visibility >= 0) & (visibility <= 1)).all()):
        raise SourceError(f"{file}: columns 8 and 9 must be classes from 1 to 13 and visibilities, as in MOT17")
    first = length // 2 + 2
    gt = gt[gt[:, FRAME] >= first]
    person = gt[:, CLASS] == PEDESTRIAN
    if not (person & (gt[:, FLAG] != 0)).any():
        raise SourceError(f"{file}: no pedestrian counts from frame {first} on, there is nothing to score against")
    gt[person & (gt[:, FLAG] == 0), CLASS] = CAR
    return HalfSequence(name, folder, first, gt)


def track_half(
    sequence: HalfSequence,
    detector: JDEDetector,
    configs: Mapping[str, TrackerConfig],
    folder: Path,
    progress: Callable[[Source], Iterable[Frame]] = iter,
) -> dict[str, Scored]:
    """Track the half by several associations, from one forward pass a frame, and score the results.

    Args:
        sequence: what to track.
        detector: finds the people.
        configs: settings of each association.
        folder: existing one, to which the texts go as NAME.txt in a folder of each association.
        progress: takes a `Source` and yields its frames, as ``tqdm`` does.

    Returns:
        The counts by association.

    Raises:
        SourceError: the images cannot be read, or none of them is in the half.
        OutputError: a text cannot be written.
    """
    paths = {name: folder / name / f"{sequence.name}.txt" for name in configs}
    seen = 0
    with open_source(sequence.folder) as source, ExitStack() as stack:
        trackers = {name: SequenceTracker(config, source.frame_rate) for name, config in configs.items()}
        texts = {name: stack.enter_context(closing(MotWriter(path))) for name, path in paths.items()}
        least = min(tracker.embedding_threshold for tracker in trackers.values())
        for frame in progress(source):
            if frame.index + 1 < sequence.first:
                continue
            seen += 1
            letterboxed = detector.preprocess(frame.image)
            raw = detector.start(letterboxed)()
            detections = detector.embed(detector.decode(raw, letterboxed), raw, letterboxed, least)
            for name, tracker in trackers.items():
                tracks = tracker.update(frame.time, detections, frame.image)
                texts[name].write(frame.index + 1, with_size(tracks))
    if not seen:
        raise SourceError(f"{sequence.folder}: has no image from frame {sequence.first} on, see its seqinfo.ini")
    return {name: score_boxes(sequence.gt, read_boxes(path)) for name, path in paths.items()}
