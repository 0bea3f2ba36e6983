r"""Compare the crossings counted on tracks with those of ground truth, over lines drawn at random.

    python tools/answers/eval_crossings.py --gt PETS09-S2L1/gt/gt.txt --text mot_result/mot_results/vtest_refined.txt \
        --size 768 576 --frame_rate 10 --certainty
    python tools/answers/eval_crossings.py --kinds 50 --supervision

The second compares counters on generated walks of the kinds that are easily counted wrong. In the first, the crossings
of the ground truth are counted by a plain loop that shares no code with the tracker's.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # so that the script runs from any folder

import numpy as np

from tools.answers.certainty import Tallies
from tools.answers.kinds import RATE, SIZE, make_walks
from tools.cli import print_line, run_tool
from tracker.analysis.analysis import SceneAnalysis
from tracker.analysis.recording import Recording
from tracker.analysis.scene import load_scene
from tracker.errors import OptionError
from tracker.evaluation.mot_files import read_ground_truth, roles
from tracker.settings.checks import check_positive, check_whole
from tracker.sinks.mot_text import FRAME, HEIGHT, ID, LEFT, SCORE, TOP, WIDTH, read_mot

NEAR_SECONDS, NEAR_HEIGHTS = 1.5, 1.0  # by which two accounts of a crossing may differ, the latter in box heights
WAYS = {"in": 1, "out": -1}


Counter = Callable[[np.ndarray, np.ndarray, tuple[int, int], float], "list[Passage]"]


class Passage(NamedTuple):
    """A crossing, by any account: line, direction (1 is in), seconds, place in pixels, height of the box, certainty."""

    line: int
    direction: int
    seconds: float
    x: float
    y: float
    height: float
    certainty: float = 1.0


def random_lines(count: int, size: tuple[int, int], feet: np.ndarray, seed: int) -> np.ndarray:
    """Draw lines across the places where people walk.

    Args:
        count: number of lines.
        size: width and height of the picture, pixels.
        feet: [N, 2] places of feet, pixels.
        seed: of the random numbers.

    Returns:
        [count, 2, 2] ends, pixels, within the picture, each line a fifth to a half of its width long.
    """
    random = np.random.default_rng(seed)
    lines: list[np.ndarray] = []
    while len(lines) < count:
        middle, angle = feet[random.integers(len(feet))], random.uniform(0, 2 * math.pi)
        half = random.uniform(0.1, 0.25) * size[0] * np.array([math.cos(angle), math.sin(angle)])
        line = np.array([middle - half, middle + half])
        if (line >= 0).all() and (line <= size).all():
            lines.append(line)
    return np.array(lines)


def plain_passages(rows: np.ndarray, lines: np.ndarray, frame_rate: float) -> list[Passage]:
    """Count crossings by a plain loop over true boxes, which need no smoothing.

    Args:
        rows: [N, 10] boxes as `read_mot` returns them.
        lines: [L, 2, 2] ends, pixels.
        frame_rate: frames per second.
    """
    made = []
    for identity in np.unique(rows[:, ID]):
        track = rows[rows[:, ID] == identity]
        track = track[np.argsort(track[:, FRAME])]
        for number, ((ax, ay), (bx, by)) in enumerate(lines.tolist()):
            side, before = 0, (0.0, 0.0)
            for row in track.tolist():
                x, y, height = row[LEFT] + row[WIDTH] / 2, row[TOP] + row[HEIGHT], row[HEIGHT]
                turn = (bx - ax) * (y - ay) - (by - ay) * (x - ax)
                part = ((x - ax) * (bx - ax) + (y - ay) * (by - ay)) / ((bx - ax) ** 2 + (by - ay) ** 2)
                part = min(max(part, 0), 1)
                if math.dist((x, y), (ax + part * (bx - ax), ay + part * (by - ay))) <= max(0.1 * height, 3):
                    continue
                now = 1 if turn > 0 else -1
                if side and now != side and _cut((before, (x, y)), ((ax, ay), (bx, by))):
                    made.append(Passage(number, now, (row[FRAME] - 1) / frame_rate, x, y, height))
                side, before = now, (x, y)
    return made


def _cut(first: tuple, second: tuple) -> bool:
    (ax, ay), (bx, by) = first
    (cx, cy), (dx, dy) = second

    def left(px: float, py: float, qx: float, qy: float, rx: float, ry: float) -> bool:
        return (qx - px) * (ry - py) - (qy - py) * (rx - px) > 0

    return left(ax, ay, bx, by, cx, cy) != left(ax, ay, bx, by, dx, dy) and left(cx, cy, dx, dy, ax, ay) != left(
        cx, cy, dx, dy, bx, by
    )


def counted_passages(rows: np.ndarray, lines: np.ndarray, size: tuple[int, int], frame_rate: float) -> list[Passage]:
    """Count crossings as a run with these lines does; the arguments are those of `plain_passages`."""
    return _analysed(rows, lines, size, frame_rate)[0]


def _analysed(
    rows: np.ndarray, lines: np.ndarray, size: tuple[int, int], frame_rate: float
) -> tuple[list[Passage], list[tuple[int, int, int, int]]]:
    """Return the crossings, and line, direction, low and high of each count."""
    scene = {"lines": {str(number): {"points": (line / size).tolist()} for number, line in enumerate(lines)}}
    analysis = SceneAnalysis(load_scene(scene), Recording("tracks", size, frame_rate))
    rows = rows[np.argsort(rows[:, FRAME], kind="stable")]
    ms = np.rint((rows[:, FRAME] - 1) * 1000 / frame_rate)
    steps = [analysis.update(np.column_stack([ms, rows[:, : SCORE + 1]]), ms[-1]), analysis.close()]
    heights = {(int(row[FRAME]), int(row[ID])): row[HEIGHT] for row in rows}
    passages = [
        Passage(int(row.line), WAYS[row.direction], row.seconds, row.x, row.y, height, row.certainty)
        for step in steps
        for row in step.crossings
        for height in [heights[row.frame, row.id]]
    ]
    return passages, [(int(name), WAYS[way], low, high) for name, way, _, low, high in analysis.totals]


def supervision_passages(
    rows: np.ndarray, lines: np.ndarray, size: tuple[int, int], frame_rate: float
) -> list[Passage]:
    """Count crossings by the LineZone of supervision, by feet; the arguments are those of `plain_passages`."""
    return _supervision(rows, lines, frame_rate, corners=False)


def corner_passages(rows: np.ndarray, lines: np.ndarray, size: tuple[int, int], frame_rate: float) -> list[Passage]:
    """Count crossings by LineZone as it is by default, by all four corners; the arguments are the same."""
    return _supervision(rows, lines, frame_rate, corners=True)


def _supervision(rows: np.ndarray, lines: np.ndarray, frame_rate: float, corners: bool) -> list[Passage]:
    import supervision

    options = {} if corners else {"triggering_anchors": [supervision.Position.BOTTOM_CENTER]}
    made = []
    for number, line in enumerate(lines):
        start, end = (supervision.Point(*point) for point in line.tolist())
        zone = supervision.LineZone(start, end, **options)
        for frame in np.unique(rows[:, FRAME]):
            of_frame = rows[rows[:, FRAME] == frame]
            boxes = np.hstack([of_frame[:, [LEFT, TOP]], of_frame[:, [LEFT, TOP]] + of_frame[:, [WIDTH, HEIGHT]]])
            people = supervision.Detections(
                boxes, tracker_id=of_frame[:, ID].astype(int), class_id=np.zeros(len(boxes), int)
            )
            crossed = zone.trigger(people)
            # what it calls out is to the right of the line
            for mask, direction in zip(crossed, (-1, 1)):
                for row in of_frame[mask]:
                    x, y = row[LEFT] + row[WIDTH] / 2, row[TOP] + row[HEIGHT]
                    made.append(Passage(number, direction, (frame - 1) / frame_rate, x, y, row[HEIGHT]))
    return made


def matched(counted: Sequence[Passage], true: Sequence[Passage]) -> np.ndarray:
    """Return which crossings two accounts have in common, each of them once.

    Returns:
        [N] which of the first account they are.
    """
    from scipy.optimize import linear_sum_assignment

    cost = np.full((len(counted), len(true)), 1e6)
    for row, one in enumerate(counted):
        for column, other in enumerate(true):
            apart = math.dist((one.x, one.y), (other.x, other.y)) / other.height
            late = abs(one.seconds - other.seconds)
            same = one.line == other.line and one.direction == other.direction
            if same and late <= NEAR_SECONDS and apart <= NEAR_HEIGHTS:
                cost[row, column] = late + apart
    rows, columns = linear_sum_assignment(cost)
    return rows[cost[rows, columns] < 1e6]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("--gt", type=Path, help="ground truth, a MOTChallenge text")
    parser.add_argument("--text", type=Path, nargs="+", help="MOT texts of tracks")
    parser.add_argument("--size", type=int, nargs=2, help="width and height of the picture")
    parser.add_argument("--frame_rate", type=float, help="frames per second")
    parser.add_argument("--kinds", type=int, metavar="N", help="in place of these: N generated walks of each kind")
    parser.add_argument("--lines", type=int, default=20, help="number of lines (default: %(default)s)")
    parser.add_argument("--supervision", action="store_true", help="also by the LineZone of supervision, if installed")
    parser.add_argument("--certainty", action="store_true", help="also how often certainties and ranges were right")
    parser.add_argument("--seed", type=int, default=0, help="of their places (default: %(default)s)")


def run(arguments: argparse.Namespace) -> None:
    """Print precision and recall of the crossings of each text, or errors by kinds of walks.

    Raises:
        SourceError: a file cannot be read.
        OptionError: an option is missing or out of its range.
    """
    counters = {"tracker": counted_passages}
    if arguments.supervision:
        counters |= {"supervision, feet": supervision_passages, "supervision, corners": corner_passages}
    if arguments.kinds is not None:
        _print_kinds(check_whole("kinds", arguments.kinds), arguments.seed, counters)
        return
    for name in ("gt", "text", "size", "frame_rate"):
        if getattr(arguments, name) is None:
            raise OptionError(f"--{name} is missing; --kinds N needs no files")
    check_whole("lines", arguments.lines)
    rate = check_positive("frame_rate", arguments.frame_rate)
    size = check_whole("size", arguments.size[0]), check_whole("size", arguments.size[1])
    gt, _ = read_ground_truth(arguments.gt)
    gt = gt[roles(gt)[0]]
    feet = np.column_stack([gt[:, LEFT] + gt[:, WIDTH] / 2, gt[:, TOP] + gt[:, HEIGHT]])
    lines = random_lines(arguments.lines, size, feet, arguments.seed)
    true = plain_passages(gt, lines, rate)
    print_line(f"{len(lines)} lines, {len(true)} crossings in the ground truth")
    for path in [arguments.gt, *arguments.text]:
        rows = gt if path == arguments.gt else read_mot(path)
        for name, count in counters.items():
            counted = count(rows, lines, size, rate)
            found = len(matched(counted, true))
            precision, recall = found / max(len(counted), 1), found / max(len(true), 1)
            print_line(f"{path}, {name}: {len(counted)} counted, precision {precision:.3f}, recall {recall:.3f}")
    if arguments.certainty:
        _print_certainty([read_mot(path) for path in arguments.text], lines, true, size, rate)


def _print_certainty(
    texts: Sequence[np.ndarray], lines: np.ndarray, true: Sequence[Passage], size: tuple[int, int], rate: float
) -> None:
    """Print how often the certainties and ranges of all texts were right."""
    tallies = Tallies()
    for rows in texts:
        counted, ranges = _analysed(rows, lines, size, rate)
        counts = [
            (sum((passage.line, passage.direction) == (line, way) for passage in true), low, high)
            for line, way, low, high in ranges
        ]
        tallies.add([passage.certainty for passage in counted], matched(counted, true), counts)
    for sentence in tallies.told():
        print_line(sentence)


def _print_kinds(count: int, seed: int, counters: dict[str, Counter]) -> None:
    """Print, for each kind of walk and each counter, how many crossings it counted too many and too few."""
    print_line(f"{count} walks of each kind: counted too many + missed, of so many crossings")
    for kind, walks in make_walks(count, seed).items():
        cells = []
        for name, counter in counters.items():
            extra = missed = 0
            for walk in walks:
                passages = counter(walk.rows, walk.line[None], SIZE, RATE)
                for direction, true in ((1, walk.ins), (-1, walk.outs)):
                    error = sum(passage.direction == direction for passage in passages) - true
                    extra, missed = extra + max(error, 0), missed + max(-error, 0)
            cells.append(f"{name} {extra} + {missed}")
        print_line(f"{kind}, {sum(walk.ins + walk.outs for walk in walks)}: {'; '.join(cells)}")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    return run_tool(__doc__, add_arguments, run, argv)


if __name__ == "__main__":
    sys.exit(main())
