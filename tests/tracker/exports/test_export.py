"""Exports: what each format demands, boxes where they were, gaps that are gaps; read back by the tools' libraries."""

import json
import os
import subprocess
import xml.etree.ElementTree as ET
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers.videos import write_video
from tracker.errors import OptionError, SourceError
from tracker.exports.export import FORMATS, export
from tracker.exports.recording import Recording, thinned

READER = "EXPORT_READER"  # environment variable: a Python with datumaro, pycocotools and label-studio-sdk
SIZE = (160, 96)
FRAMES = 40


def walks():
    """Three people: one all along, one with a gap, one who comes late, leaves early and reaches over the border."""
    rows = []
    for frame in range(1, FRAMES + 1):
        wave = 3 * np.sin(frame / 4)
        rows.append((frame, 1, 5 + 2 * frame, 20 + wave, 20, 50, 0.9))
        if not 12 <= frame <= 20:
            rows.append((frame, 2, 120 - 2 * frame, 30, 18 + frame / 20, 48, 0.8))
        if 8 <= frame <= 30:
            rows.append((frame, 5, 140 + wave, 10.25, 30, 40, 0.7))
    return np.array(rows)


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    """The MOT text of three people, with a video of its frames."""
    folder = tmp_path_factory.mktemp("walks")
    video = [np.full((SIZE[1], SIZE[0], 3), 5 * number, np.uint8) for number in range(FRAMES)]
    write_video(folder / "walks.mp4", video, rate=10)
    path = folder / "walks.txt"
    path.write_text(
        "".join("{:.0f},{:.0f},{:.2f},{:.2f},{:.2f},{:.2f},{:.4f},-1,-1,-1\n".format(*row) for row in walks())
    )
    return path


@pytest.fixture(scope="module")
def made(text):
    """Every export of it, by format."""
    video = text.with_suffix(".mp4")
    return {to: export(text, to, video=video, output_dir=text.parent) for to in FORMATS}


def sides(row):
    left, top, width, height = row[2:6]
    return np.array([left, top, left + width, top + height])


def between(keys, frame):
    """The box at a frame by the tool's rule: straight from one keyframe to the next; None where there is none."""
    before = max((key for key in keys if key <= frame), default=None)
    if before is None:
        return None
    box, goes_on = keys[before]
    after = min((key for key in keys if key > frame), default=None)
    if before == frame:
        return box
    if not goes_on:
        return None
    share = (frame - before) / (after - before)
    return box + share * (keys[after][0] - box)


def assert_the_same_walks(tracks, tolerance):
    """Tracks {id: {frame from 1: (box, whether it goes on)}}, with nobody where there was nobody."""
    expected = {(int(row[1]), int(row[0])): sides(row) for row in walks()}
    for identity in (1, 2, 5):
        for frame in range(1, FRAMES + 1):
            box = between(tracks[identity], frame)
            if (identity, frame) not in expected:
                assert box is None, (identity, frame)
            else:
                assert box is not None, (identity, frame)
                assert np.abs(box - expected[identity, frame]).max() <= tolerance


def test_cvat_has_frames_from_0_and_an_end_at_every_gap(made):
    root = ET.parse(made["cvat"].path).getroot()
    task = root.find("meta/task")
    assert (task.findtext("size"), task.findtext("stop_frame")) == ("40", "39")
    assert task.findtext("labels/label/name") == "person" and task.findtext("original_size/width") == "160"
    tracks, keyframes = {}, 0
    for track in root.iter("track"):
        assert track.get("label") == "person" and track.get("source") == "auto"
        keys = {}
        for box in track:
            keyframes += 1
            assert box.get("keyframe") == "1" and box.get("occluded") == box.get("z_order") == "0"
            corner = np.array([float(box.get(name)) for name in ("xtl", "ytl", "xbr", "ybr")])
            outside = box.get("outside") == "1"
            if not outside:
                keys[int(box.get("frame")) + 1] = (corner, True)
            else:  # the frame before is the last one in sight
                last = int(box.get("frame"))
                assert last in keys
                keys[last] = (keys[last][0], False)
        assert list(keys) == sorted(keys)
        tracks[int(track.get("id"))] = keys
    assert_the_same_walks(tracks, 1.011)
    assert keyframes == made["cvat"].written < len(walks()) / 2
    assert max(tracks[1]) == FRAMES and tracks[1][FRAMES][1], "in sight to the end: no box behind the video"


def test_label_studio_has_frames_from_1_percent_and_keyframes_that_end(made):
    (task,) = json.loads(made["labelstudio"].path.read_text())
    (prediction,) = task["predictions"]
    tracks = {}
    for region in prediction["result"]:
        value = region["value"]
        assert region["type"] == "videorectangle" and value["labels"] == ["person"]
        assert (value["framesCount"], value["duration"]) == (FRAMES, 4.0)
        keys = {}
        for key in value["sequence"]:
            assert key["rotation"] == 0 and key["time"] == pytest.approx(key["frame"] / 10)
            box = np.array([key[name] for name in ("x", "y", "width", "height")]) * [160, 96, 160, 96] / 100
            keys[key["frame"]] = (np.append(box[:2], box[:2] + box[2:]), key["enabled"])
        tracks[int(region["id"].removeprefix("track_"))] = keys
    assert_the_same_walks(tracks, 1.02)


def test_mot_is_ground_truth_of_cvat(made):
    with zipfile.ZipFile(made["mot"].path) as archive:
        assert archive.namelist() == ["gt/gt.txt", "gt/labels.txt"] and archive.read("gt/labels.txt") == b"person\n"
        rows = np.loadtxt(archive.read("gt/gt.txt").decode().splitlines(), delimiter=",")
    assert np.allclose(rows[:, :6], walks()[:, :6], atol=0.006) and (rows[:, 6:] == 1).all() and rows.shape[1] == 9


def cut_off(rows):
    boxes = np.array([sides(row) for row in rows])
    boxes = np.clip(boxes, 0, [*SIZE, *SIZE])
    return np.column_stack([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]])


def test_coco_has_videos_tracks_and_pictures(made):
    data = json.loads((made["coco"].path / "annotations" / "instances_default.json").read_text())
    assert data["videos"] == [{"id": 1, "name": "walks", "width": 160, "height": 96, "fps": 10}]
    assert [image["frame_id"] for image in data["images"]] == list(range(FRAMES))
    by_id = {image["id"]: image for image in data["images"]}
    for image in data["images"]:
        picture = cv2.imread(str(made["coco"].path / "images" / "default" / image["file_name"]))
        assert picture.shape[:2] == (image["height"], image["width"]) == (96, 160)
        assert abs(picture.mean() - 5 * image["frame_id"]) < 6
    found = [(by_id[one["image_id"]]["frame_id"] + 1, one["track_id"]) for one in data["annotations"]]
    assert found == [(int(row[0]), int(row[1])) for row in walks()]
    assert np.allclose([one["bbox"] for one in data["annotations"]], cut_off(walks()), atol=0.011)
    assert {one["category_id"] for one in data["annotations"]} == {data["categories"][0]["id"]}
    assert made["coco"].images == FRAMES


def test_yolo_has_a_text_and_a_picture_for_each_frame(made):
    folder = made["yolo"].path
    assert yaml.safe_load((folder / "data.yaml").read_text())["names"] == {0: "person"}
    names = [f"frame_{number:06d}" for number in range(FRAMES)]
    assert sorted(path.stem for path in (folder / "labels" / "train").iterdir()) == names
    assert sorted(path.stem for path in (folder / "images" / "train").iterdir()) == names
    lines = [line.split() for name in names for line in (folder / f"labels/train/{name}.txt").read_text().splitlines()]
    boxes = np.array(lines, float)
    assert (boxes[:, 0] == 0).all() and (boxes >= 0).all() and (boxes <= 1).all()
    sizes = boxes[:, 3:] * SIZE
    assert np.allclose(np.column_stack([boxes[:, 1:3] * SIZE - sizes / 2, sizes]), cut_off(walks()), atol=0.01)


def test_a_run_that_skipped_frames_has_no_gaps_in_between(tmp_path, text):
    rows = walks()[walks()[:, 0] % 3 == 1]
    recording = Recording("walks", rows, SIZE, 10.0, 1, 40, step=3)
    assert {identity: len(segments) for identity, segments in recording.tracks()} == {1: 1, 2: 2, 5: 1}
    assert [number for number, _ in recording.frames()] == list(range(1, 41, 3))


@settings(max_examples=60, deadline=None)
@given(
    steps=st.lists(st.tuples(st.integers(1, 3), *[st.floats(-9, 9)] * 4), min_size=1, max_size=40),
    tolerance=st.floats(0, 5),
)
def test_thinned_tracks_are_nowhere_farther_off_than_told(steps, tolerance):
    steps = np.array(steps, float)
    frames = np.cumsum(steps[:, 0])
    boxes = np.add([100, 100, 500, 500], np.cumsum(steps[:, 1:], axis=0))
    segment = thinned(np.column_stack([frames, frames * 0, boxes, frames]), tolerance)
    assert segment.frames[0] == frames[0] and segment.frames[-1] == frames[-1]
    corners = np.column_stack([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]])
    back = np.column_stack([np.interp(frames, segment.frames, side) for side in segment.boxes.T])
    assert np.abs(back - corners).max() <= tolerance + 1e-6


@pytest.mark.parametrize("to", FORMATS)
def test_an_empty_text_is_an_empty_export(tmp_path, text, to):
    empty = tmp_path / "empty.txt"
    empty.write_text("")
    result = export(empty, to, video=text.with_suffix(".mp4"), output_dir=tmp_path)
    assert (result.people, result.written, result.frames) == (0, 0, FRAMES) and result.path.exists()


def test_edits_come_first(tmp_path, text):
    result = export(text, "mot", video=text.with_suffix(".mp4"), output_dir=tmp_path, edits={"drop": [1]})
    assert result.people == 2 and result.boxes == (walks()[:, 1] != 1).sum()


def test_what_is_not_known_is_asked_for(tmp_path, text):
    with pytest.raises(OptionError, match="to must be one of cvat, mot, coco, labelstudio, yolo, not 'csv'"):
        export(text, "csv")
    with pytest.raises(OptionError, match=r"size of the picture must be known.*give video"):
        export(text, "cvat", output_dir=tmp_path)
    with pytest.raises(SourceError, match="is no file"):
        export(tmp_path / "none.txt", "cvat")
    with pytest.raises(OptionError, match="tolerance"):
        export(text, "cvat", tolerance=-1)


@pytest.mark.slow
def test_the_tools_own_libraries_read_the_same_boxes(made, text):
    if READER not in os.environ:
        pytest.skip(f"{READER} names no Python with datumaro, pycocotools and label-studio-sdk")
    script = Path(__file__).with_name("read_back.py")
    command = [os.environ[READER], str(script), str(text.parent / "exports"), "walks"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["labelstudio_errors"] == []
    whole = {(int(row[0]) - 1, int(row[1])): row[2:6] for row in walks()}
    edge = dict(zip(whole, cut_off(walks())))
    for to, expected in (("cvat", whole), ("mot", whole), ("coco", edge)):
        boxes = {(frame, identity): box for frame, identity, *box, outside in found[to] if not outside}
        assert boxes.keys() <= expected.keys()
        assert to == "cvat" or boxes.keys() == expected.keys()
        assert max(np.abs(np.subtract(box, expected[key])).max() for key, box in boxes.items()) <= 0.5
    outside = {(frame, identity) for frame, identity, *_, outside in found["cvat"] if outside}
    assert outside == {(11, 2), (30, 5)}
    by_frame = sorted([frame, *np.round(box)] for frame, _, *box, _ in found["yolo"])
    assert np.abs(np.subtract(by_frame, sorted([f, *np.round(b)] for (f, _), b in edge.items()))).max() <= 1
