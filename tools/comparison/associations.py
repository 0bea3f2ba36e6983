"""Track stored detections with other packages' trackers, as they come, and tell how long a frame takes.

    python tools/comparison/associations.py --tracker PACKAGE:CLASS --detections SEQ.npz --output SEQ.txt

Run it by the Python of an environment that has the other package; beside it numpy is all that is needed. The text is
scored by ``tools/eval_mot.py --gt SEQ --result SEQ.txt``. PACKAGE:CLASS is ``norfair:Tracker``, a tracker of
``trackers`` such as ``trackers:ByteTrackTracker``, one of ``boxmot`` such as ``boxmot:ByteTrack``, or, for comparison,
``tracker:byte``, this project's own without appearance. Settings are the packages' own; boxes alone are given, no
pictures and no embeddings.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

Rows = list[tuple[int, np.ndarray]]  # identity, and left, top, right, bottom in pixels
Update = Callable[[np.ndarray, np.ndarray], Rows]  # boxes [N, 4] and scores [N] of a frame, in order
SURE = 0.6  # least score given to norfair, which looks at no scores; conf_thres of tools/eval_mot.py


def norfair_tracker(package: Any, name: str, frame_rate: float) -> Update:
    """Make norfair's tracker by overlap, remembering a second as the others do.

    It follows the two corners by themselves, so that they may change places.
    """
    tracker = getattr(package, name)("iou", distance_threshold=0.7, hit_counter_max=round(frame_rate))

    def update(boxes: np.ndarray, scores: np.ndarray) -> Rows:
        found = [package.Detection(box.reshape(2, 2)) for box in boxes[scores >= SURE]]
        seen = [one for one in tracker.update(found) if one.live_points.any()]
        return [(one.id, np.sort(one.estimate, axis=0).ravel()) for one in seen]

    return update


def trackers_tracker(package: Any, name: str, frame_rate: float) -> Update:
    """Make a tracker of roboflow's trackers."""
    kind = import_module("supervision").Detections
    tracker = getattr(package, name)(frame_rate=frame_rate)

    def update(boxes: np.ndarray, scores: np.ndarray) -> Rows:
        tracked = tracker.update(kind(xyxy=boxes, confidence=scores, class_id=np.zeros(len(boxes), int)))
        return [(int(number), box) for number, box in zip(tracked.tracker_id, tracked.xyxy) if number >= 0]

    return update


def boxmot_tracker(package: Any, name: str, frame_rate: float) -> Update:
    """Make a tracker of boxmot that needs no pictures."""
    tracker = getattr(package, name)(**({"frame_rate": round(frame_rate)} if name == "ByteTrack" else {}))

    def update(boxes: np.ndarray, scores: np.ndarray) -> Rows:
        tracked = tracker.update(np.column_stack([boxes, scores, np.zeros(len(boxes))]).astype(np.float32))
        return [(int(row[4]), row[:4]) for row in tracked]

    return update


def own_tracker(package: Any, name: str, frame_rate: float) -> Update:
    """Make a tracker of this project, by the name of its association."""
    tracker = package.SequenceTracker(package.TrackerConfig(association=name, conf_thres=SURE), frame_rate)
    number = 0

    def update(boxes: np.ndarray, scores: np.ndarray) -> Rows:
        nonlocal number
        number += 1
        order = np.argsort(-scores, kind="stable")
        found = package.Detections(boxes[order], scores[order], np.zeros((len(boxes), 0)))
        tracks = tracker.update(number / frame_rate, found)
        corners = np.concatenate([tracks.boxes[:, :2], tracks.boxes[:, :2] + tracks.boxes[:, 2:]], axis=1)
        return list(zip(tracks.ids.tolist(), corners))

    return update


MAKERS = {"norfair": norfair_tracker, "trackers": trackers_tracker, "boxmot": boxmot_tracker, "tracker": own_tracker}


def track(update: Update, detections: np.ndarray) -> tuple[list[str], np.ndarray]:
    """Track the rows of stored detections.

    Args:
        update: the tracker.
        detections: [N, 6] frame (from 1), left, top, width, height, score.

    Returns:
        The lines of the MOT text, and the seconds [F] of each frame.
    """
    lines, seconds = [], []
    for frame in range(1, int(detections[:, 0].max(initial=0)) + 1):
        rows = detections[detections[:, 0] == frame]
        boxes = np.concatenate([rows[:, 1:3], rows[:, 1:3] + rows[:, 3:5]], axis=1).astype(np.float64)
        start = time.perf_counter()
        tracked = update(boxes, rows[:, 5].astype(np.float64))
        seconds.append(time.perf_counter() - start)
        for number, (left, top, right, bottom) in tracked:
            lines.append(f"{frame},{number},{left:.2f},{top:.2f},{right - left:.2f},{bottom - top:.2f},1,-1,-1,-1")
    return lines, np.array(seconds)


def main() -> None:
    """Run the tracker that the command line names."""
    parser = argparse.ArgumentParser(description="Track stored detections with another package's tracker.")
    parser.add_argument("--tracker", required=True, metavar="PACKAGE:CLASS", help="such as trackers:ByteTrackTracker")
    parser.add_argument("--detections", required=True, type=Path, help="by tools/eval_model.py --save_detections")
    parser.add_argument("--output", required=True, type=Path, help="MOT text to write")
    parser.add_argument("--frame_rate", type=float, default=30.0, help="frames per second (default: %(default)g)")
    arguments = parser.parse_args()
    package, _, name = arguments.tracker.partition(":")
    if package not in MAKERS or not name:
        parser.error(f"--tracker is PACKAGE:CLASS of {', '.join(MAKERS)}, got {arguments.tracker}")
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # for ``tracker``
    module = import_module(package)
    if package != "tracker" and not hasattr(module, name):
        parser.error(f"{package} has no {name}")
    update = MAKERS[package](module, name, arguments.frame_rate)
    lines, seconds = track(update, np.load(arguments.detections)["detections"])
    arguments.output.write_text("".join(line + "\n" for line in lines))
    low, middle, high = np.percentile(seconds * 1000, [10, 50, 90])
    print(f"{arguments.tracker}: {len(seconds)} frames, {middle:.2f} ms a frame ({low:.2f}-{high:.2f})")


if __name__ == "__main__":
    main()
