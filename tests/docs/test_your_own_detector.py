"""The code of docs/your_own_detector.md runs as it stands, with the networks it names or with stand-ins for them."""

import re
from collections import Counter

import cv2
import numpy as np
import pytest

from tests.helpers.paths import ROOT, SHARED
from tests.helpers.videos import write_video

openvino = pytest.importorskip("openvino")

PAGE = ROOT / "docs" / "your_own_detector.md"
DETECTOR, LOOP, EMBEDDING, PREDICTOR = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE)


NAMED = ("yolox_nano.onnx", "person-reidentification-retail-0287.xml", "street.mp4")


@pytest.fixture(autouse=True)
def one_core(monkeypatch):
    """Let the page use the core that is never let go: signals of later tests crash the process otherwise."""
    from tracker.detection.backends.openvino_network import openvino_core

    core = openvino_core()
    monkeypatch.setattr(openvino, "Core", lambda: core)


@pytest.fixture(scope="module")
def stand_ins(tmp_path_factory):
    """Networks with the inputs and outputs of the real ones, which answer what is easily checked."""
    from openvino import opset13 as ops

    folder = tmp_path_factory.mktemp("stand_ins")
    image = ops.parameter([1, 3, 416, 416], np.float32, name="images")
    cells = np.zeros((1, 3549, 85), np.float32)
    cells[0, 52 * 52 + 26 * 5 + 7, [0, 1, 2, 3, 5]] = [0.5, 0.25, np.log(2), np.log(5), 1]  # stride 16, row 5, column 7
    brightness = ops.strided_slice(image, [0, 0, 0, 0], [1, 1, 1, 1], [1, 1, 1, 1], [0] * 4, [0] * 4)
    objectness = np.zeros((1, 1, 85), np.float32)
    objectness[..., 4] = 0.9 / 255
    answer = ops.add(cells, ops.multiply(ops.reshape(brightness, [1, 1, 1], False), objectness))
    openvino.save_model(openvino.Model([answer], [image], "yolox"), folder / "yolox_nano.xml", compress_to_fp16=False)

    crop = ops.parameter([1, 3, 256, 128], np.float32, name="data")
    colour = ops.reduce_mean(crop, [2, 3])
    appearance = ops.concat([colour, np.zeros((1, 253), np.float32)], 1)
    openvino.save_model(openvino.Model([appearance], [crop], "reid"), folder / "reid.xml", compress_to_fp16=False)
    return folder / "yolox_nano.xml", folder / "reid.xml"


def run_page(networks, video, *blocks):
    """Run blocks of the page with the files given in place of those it names; return their variables."""
    code = "\n".join(blocks)
    for name, path in zip(NAMED, (*networks, video)):
        code = code.replace(f'"{name}"', repr(str(path)))
    variables = {}
    exec(compile(code, f"code of {PAGE.name}", "exec"), variables)
    return variables


def test_stand_ins(stand_ins, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    seen, unseen = np.full((624, 832, 3), 255, np.uint8), np.zeros((624, 832, 3), np.uint8)
    video = write_video(tmp_path / "hall.mp4", [seen] * 5 + [unseen] * 2 + [seen] * 2)
    page = run_page(stand_ins, video, DETECTOR, LOOP, EMBEDDING)
    assert capsys.readouterr().out.splitlines() == ["id 1: 208, 88, 64 x 160"] * 7
    assert cv2.imread("tracked.jpg").shape == seen.shape and not (cv2.imread("tracked.jpg") > 200).all()

    tracks = [page["track"](number / 25, image) for number, image in enumerate([seen, unseen, unseen, seen])]
    assert [track.ids.tolist() for track in tracks] == [[1], [], [], [1]]
    assert np.allclose(tracks[3].boxes, [[208, 88, 64, 160]], atol=1)
    assert np.allclose(tracks[3].embeddings[:, :4], [[3**-0.5] * 3 + [0]], atol=1e-5)


def test_a_whole_video(stand_ins, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    video = write_video(tmp_path / "hall.mp4", [np.full((624, 832, 3), 255, np.uint8)] * 6)
    run_page(stand_ins, video, DETECTOR, LOOP, EMBEDDING, PREDICTOR)
    assert "hall: 6 frames" in capsys.readouterr().out
    text = (tmp_path / "mot_result" / "mot_results" / "hall.txt").read_text()
    assert [line.split(",")[:2] for line in text.splitlines()] == [[str(frame), "1"] for frame in range(1, 7)]
    assert (tmp_path / "mot_result" / "mot_results" / "hall_refined.txt").exists()
    assert (tmp_path / "mot_result" / "mot_outputs" / "hall_vis.mp4").exists()


def test_boxes_beyond_the_border_have_an_embedding(stand_ins):
    page = run_page(stand_ins, "none.mp4", DETECTOR, "from tracker import SequenceTracker, TrackerConfig", EMBEDDING)
    boxes = np.array(
        [[-50, -50, 9, 9], [90, 60, 300, 300], [-9, -9, -1, -1], [200, 200, 220, 240], [5.2, 5.2, 5.3, 5.3]]
    )
    embeddings = page["embed"](np.full((80, 100, 3), 90, np.uint8), boxes)
    assert np.allclose(np.linalg.norm(embeddings, axis=1), 1)
    assert page["embed"](np.zeros((80, 100, 3), np.uint8), boxes[:0]).shape == (0, 256)


def test_real_networks(tmp_path, monkeypatch, capsys, clip_frames):
    weights = SHARED / "weights"
    networks = weights / "yolox_nano_416x416.onnx", weights / "teachers" / "person-reidentification-retail-0287.xml"
    if not all(path.exists() for path in networks):
        pytest.skip("YOLOX-nano and a ReID network are not there")
    monkeypatch.chdir(tmp_path)
    page = run_page(networks, write_video(tmp_path / "street.mp4", clip_frames), DETECTOR, LOOP, EMBEDDING)
    frames_of = Counter(line.partition(":")[0] for line in capsys.readouterr().out.splitlines())
    assert len(frames_of) <= 7, "4 or 5 people are in the picture"
    assert sum(count >= 20 for count in frames_of.values()) >= 4, "in most of the 30 frames"

    tracks = [page["track"](number / 25, image) for number, image in enumerate(clip_frames[:10])]
    assert len({*tracks[1].ids} & {*tracks[-1].ids}) >= 4
