"""``hub run`` as a user types it: what it prints, makes and returns, and how it ends."""

import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import av
import cv2
import pytest
import yaml

from tests.helpers.hub import NAME, error_line, run_hub
from tests.helpers.paths import CLIP, ROOT
from tests.helpers.videos import write_video


def decoded(path):
    with av.open(str(path)) as container:
        return sum(1 for _ in container.decode(video=0))


def test_the_command_in_a_process_of_its_own(hub_home, clip, tmp_path):
    video = (clip, "--model", "compact", "--output_dir", tmp_path / "out")
    missing = ("missing.mp4", "--model", "compact", "--output_dir", tmp_path / "none")
    with ThreadPoolExecutor(2) as pool:
        made, failed = pool.map(
            lambda words: run_hub(hub_home, "run", NAME, "--video_stream", *words), (video, missing)
        )
    text, annotated = tmp_path / "out/mot_results/street.txt", tmp_path / "out/mot_outputs/street_vis.mp4"
    assert made.returncode == 0, made.stderr
    for part in ("street: 5 frames", " people", "model jde_compact", str(text), str(annotated)):
        assert part in made.stdout
    assert "Traceback" not in made.stdout + made.stderr
    assert {line.split(",")[0] for line in text.read_text().splitlines()} == set("12345")
    assert decoded(annotated) == 5

    assert failed.returncode == 1
    assert error_line(failed.stderr) == "error: 'missing.mp4' does not exist: check the path"
    assert "frames" not in failed.stdout and not (tmp_path / "none").exists()


def test_the_summary_is_what_is_returned(command, clip):
    assert command("--video_stream", clip) == 0
    assert command.err == "" and command.result.frames == 5
    for part in ("street: 5 frames", f"{command.result.people} people", "jde_compact", str(command.text)):
        assert part in str(command.result)


def closed_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@pytest.mark.parametrize(
    ("stream", "named"),
    [
        ("", "video_stream is empty"),
        ("missing.mp4", "'missing.mp4' does not exist"),
        ("two\nlines.mp4", r"'two\nlines.mp4' does not exist"),
        ("0", "for camera 0 pass from_device=True (--from_device)"),
        ("words.mp4", "words.mp4' (Invalid data found when processing input): is it a video?"),
        ("nothing.mp4", "nothing.mp4'"),
        ("picture.jpg", "picture.jpg' has no readable frame"),
        ("folder", "folder' has no images"),
        ("folder/*.png", "folder/*.png' has no images"),
        ("http://127.0.0.1:{port}/street.mp4", "http://127.0.0.1:{port}/street.mp4' (Connection refused)"),
        ("rtsp://someone:secret@127.0.0.1:{port}/street", "rtsp://***@127.0.0.1:{port}/street' (Connection refused)"),
    ],
)
def test_sources_that_are_none_are_named_in_one_line(command, tmp_path, monkeypatch, stream, named):
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "notes.txt").write_text("no image")
    (tmp_path / "words.mp4").write_text("no video at all\n" * 100)
    (tmp_path / "nothing.mp4").touch()
    (tmp_path / "picture.jpg").write_text("no picture")
    monkeypatch.chdir(tmp_path)
    port = closed_port()
    assert command("--video_stream", stream.format(port=port)) == 1
    assert command.out == "" and len(command.err.splitlines()) == 1
    assert named.format(port=port) in error_line(command.err) and "secret" not in command.err
    assert not command.folder.exists()


def test_a_camera_that_is_not_there_is_one_line(command):
    assert command("--video_stream", "97", "--from_device") == 1
    assert command.err == "error: camera 97 cannot be opened: check that it is connected and not in use\n"
    assert not command.folder.exists()


def test_a_gpu_that_is_not_there_is_one_line(command, clip):
    import paddle

    if paddle.is_compiled_with_cuda() and paddle.device.cuda.device_count():
        pytest.skip("this machine has a GPU")
    assert command("--video_stream", clip, "--use_gpu") == 1
    assert len(command.err.splitlines()) == 1 and "use_gpu" in error_line(command.err)
    assert not command.folder.exists()


def test_options_reach_the_run(command, clip, tmp_path):
    def lines(*words):
        assert command("--video_stream", clip, "--visualization", "False", *words) == 0
        return command.text.read_text().splitlines()

    usual = lines("--progress")
    assert "street" in command.err and "5/5" in command.err
    every = ("--association", "jde", "--conf_thres")  # which shows whatever is above the threshold
    scores = sorted(float(line.split(",")[6]) for line in lines(*every, "0.6"))
    assert 0 < len(lines(*every, str(scores[len(scores) // 2]))) < len(scores)
    assert lines("--score_threshold", "1") == []
    assert lines("--min_box_area", "1e9") == []
    assert len(lines("--threads", "1")) == len(usual) and command.module.threads == 1


def test_images_have_the_frame_rate_that_is_given(command, clip_frames, tmp_path):
    (tmp_path / "street").mkdir()
    for number, frame in enumerate(clip_frames[:3]):
        cv2.imwrite(str(tmp_path / "street" / f"{number}.jpg"), frame)
    assert command("--video_stream", tmp_path / "street", "--frame_rate", "5") == 0
    assert command.result.frame_rate == 5
    with av.open(str(command.video)) as container:
        assert container.streams.video[0].average_rate == 5


def test_results_lie_in_mot_result_where_nothing_else_is_said(module, command, clip, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    module.run_cmd(["--video_stream", str(clip), "--model", "compact", "--visualization", "no"])
    assert (tmp_path / "mot_result" / "mot_results" / "street.txt").exists()


def test_another_model_takes_the_place_of_the_loaded_one(command, clip, tmp_path):
    folder = shutil.copytree(ROOT / "weights" / "jde_compact", tmp_path / "mine")
    values = yaml.safe_load((folder / "infer_cfg.yml").read_text())
    (folder / "infer_cfg.yml").write_text(yaml.safe_dump({**values, "name": "mine"}))
    for model, name in (("compact", "jde_compact"), (folder, "mine")):
        assert command("--video_stream", clip, "--visualization", "no", model=model) == 0
        assert command.result.model == name


@pytest.mark.parametrize(
    ("room", "reason"),
    [
        (4000, "results/street.txt: File too large"),
        (100_000, "outputs/street_vis.mp4: File too large"),  # its first part finds no room, midway
        (250_000, "outputs/street_vis.mp4: "),  # its last part finds none, at the end
    ],
)
def test_a_full_disk_is_told_and_keeps_whole_lines(command, clip_frames, tmp_path, room, reason):
    longer = write_video(tmp_path / "street.mp4", clip_frames[:24], rate=10)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, hard))
    try:
        # without a video it is the text that finds no room
        code = command("--video_stream", longer, "--visualization", "no" if reason.startswith("results") else "yes")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert code == 1 and command.out == "", "frames are missing from the video, and nothing is said"
    assert len(command.err.splitlines()) == 1 and reason in error_line(command.err)
    lines = command.text.read_text().splitlines(keepends=True)
    assert lines and all(line.endswith(",-1,-1,-1\n") and line.count(",") == 9 for line in lines)
    if room > 4000:
        assert 0 < decoded(command.video) < 24
    assert not list(command.folder.rglob(".*")), "unfinished files are left"


@pytest.mark.slow
def test_signals_end_the_command_in_order(hub_home, tmp_path):
    environment = {**os.environ, "HUB_HOME": str(hub_home)}
    hub = str(Path(sys.executable).with_name("hub"))
    words = [hub, "run", NAME, "--video_stream", str(CLIP), "--model", "compact", "--threads", "1", "--output_dir"]
    expected = {signal.SIGINT: 130, signal.SIGTERM: 143}
    running = {
        number: subprocess.Popen(
            [*words, str(tmp_path / number.name)],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in expected
    }
    try:
        for number, process in running.items():
            text = tmp_path / number.name / "mot_results" / "pedestrians.txt"
            deadline = time.monotonic() + 120
            while process.poll() is None and not (text.exists() and text.read_text().count("\n") > 20):
                assert time.monotonic() < deadline, "nothing is written"
                time.sleep(0.1)
            process.send_signal(number)
        for number, process in running.items():
            out, err = process.communicate(timeout=60)
            assert process.returncode == expected[number], err
            assert "Traceback" not in err and "frames in" in err and "frames in" not in out
            assert number != signal.SIGINT or "interrupted: the files hold all finished frames" in err
            folder = tmp_path / number.name
            content = (folder / "mot_results" / "pedestrians.txt").read_text()
            assert content.endswith(",-1,-1,-1\n")
            last = int(content.splitlines()[-1].split(",")[0])
            assert last == decoded(folder / "mot_outputs" / "pedestrians_vis.mp4") and last < 300
            assert sorted(path.name for path in folder.rglob("*.*")) == [
                "pedestrians.txt",
                "pedestrians_run.json",
                "pedestrians_times.csv",
                "pedestrians_vis.mp4",
            ]
    finally:
        for process in running.values():
            process.kill()
            process.wait()
