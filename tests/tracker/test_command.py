"""``hub run`` as a user types it: what it prints, makes and returns, and how it ends."""

import dataclasses
import json
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

from tests.helpers.hub import NAME, run_hub
from tests.helpers.paths import CLIP, ROOT
from tests.helpers.videos import write_video

COMMON_OPTIONS = """
    video_stream from_device frame_rate skip_frames model use_gpu threads backend precision output_dir tracker_config
    visualization draw_threshold refine progress json association conf_thres min_box_area score_threshold help help_all
"""
OTHER_OPTIONS = """
    timeout nms_threshold nms_top_k keep_top_k vertical_ratio
    embedding_momentum low_thres memory match_thresh min_overlap low_match_thresh new_match_thresh sure_margin
    confirm_evidence max_evidence camera_motion appearance_weight reid_sigma max_speed
    det_thresh track_buffer tracked_thresh r_tracked_thresh unconfirmed_thresh
    refine_relink_seconds refine_relink_quantile refine_relink_ratio refine_relink_speed refine_motion_seconds
    refine_ghost_seconds refine_ghost_quantile refine_fill_seconds refine_fill_support refine_smooth_seconds
"""


@pytest.fixture(scope="module")
def clip(tmp_path_factory, clip_frames):
    """A clip of five frames."""
    return write_video(tmp_path_factory.mktemp("clip") / "street.mp4", clip_frames[:5], rate=10)


class Command:
    """The command in this process: what ``hub run`` calls with its arguments."""

    def __init__(self, module, capsys, folder):
        self.module, self.capsys, self.folder = module, capsys, folder
        self.text = folder / "mot_results" / "street.txt"
        self.video = folder / "mot_outputs" / "street_vis.mp4"

    def __call__(self, *arguments, model="compact"):
        """The exit code, with the result where it is 0; what was printed is in ``out`` and ``err`` afterwards."""
        try:
            words = [*map(str, arguments), "--model", str(model), "--output_dir", str(self.folder)]
            self.result = self.module.run_cmd(words)
            code = 0
        except SystemExit as end:
            code = end.code
        self.out, self.err = self.capsys.readouterr()
        return code


@pytest.fixture
def command(module, capsys, tmp_path):
    names = ("model", "threads", "backend", "precision", "_loaded")
    kept = {name: getattr(module, name) for name in names}
    capsys.readouterr()
    yield Command(module, capsys, tmp_path / "out")
    vars(module).update(kept)


def tracker_command():
    """The module that the hub module uses, which PaddleHub has imported under a name of its own."""
    (module,) = [module for name, module in sys.modules.items() if name.endswith(f"{NAME}.tracker.command")]
    return module


def decoded(path):
    with av.open(str(path)) as container:
        return sum(1 for _ in container.decode(video=0))


def error_line(text):
    """The one line of standard error that the module wrote; others there are warnings of libraries."""
    assert "Traceback" not in text
    (line,) = [line for line in text.splitlines() if line.startswith("error:")]
    return line


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


def flags_in(help):
    return {word.strip("[],-") for word in help.split() if word.startswith("--") and len(word) > 2}


def test_help_tells_the_common_options_and_help_all_every_one(command):
    assert command("--help") == 0
    assert command.out.startswith(f"usage: hub run {NAME} ") and "Ctrl-C" in command.out
    assert flags_in(command.out) == set(COMMON_OPTIONS.split())
    assert command("--help_all") == 0
    assert flags_in(command.out) == {*COMMON_OPTIONS.split(), *OTHER_OPTIONS.split()}
    for group in ("Input options:", "Config options:", "Thresholds:"):
        assert group in command.out
    assert command.err == ""


def test_the_first_word_names_the_command(command, clip):
    for words in (["track", clip], [clip], ["track", "--video_stream", clip], ["--video_stream", clip]):
        assert command(*words, "--visualization", "no") == 0
        assert command.result.name == "street" and command.result.frames == 5
    assert command("track", "--help") == 0
    assert command.out.startswith(f"usage: hub run {NAME} track SOURCE")


def test_a_new_command_is_an_entry_in_the_table(command, monkeypatch):
    @dataclasses.dataclass
    class Greeting:
        to: str

        def __str__(self):
            return f"Hello, {self.to}."

    def add_arguments(parser, everything):
        parser.add_argument("name")
        parser.add_argument("--json", action="store_true")
        parser.add_argument("--model")
        parser.add_argument("--output_dir")

    greet = tracker_command().Command("Greet.", "NAME", add_arguments, lambda _, values: Greeting(values["name"]))
    monkeypatch.setitem(tracker_command().COMMANDS, "greet", greet)
    assert command("greet", "Ann") == 0 and str(command.result) == "Hello, Ann."
    assert command("greet", "Ann", "--json") == 0 and json.loads(str(command.result)) == {"to": "Ann"}
    assert command("greet") == 2 and "greet" in command.err
    assert command("greet", "Ann", "--video_stream", "street.mp4") == 2


def test_json_is_one_object(command, clip):
    assert command("--video_stream", clip, "--refine", "--json") == 0
    answer = json.loads(str(command.result))
    assert (answer["name"], answer["frames"], answer["frame_rate"]) == ("street", 5, 10)
    assert answer["model"] == "jde_compact" and str(command.text) in str(answer)
    assert command("--video_stream", "missing.mp4", "--json") == 1
    assert command.out == "" and error_line(command.err)


def test_a_file_of_tracker_settings_gives_way_to_flags(command, clip, tmp_path):
    def lines(*words):
        assert command("--video_stream", clip, "--visualization", "False", *words) == 0
        return command.text.read_text().splitlines()

    path = tmp_path / "mine.yml"
    # jde shows nothing below conf_thres, which is the file's and not the model's
    path.write_text("association: jde\nconf_thres: 0.999\nrefine_fill_seconds: 1\n")
    assert lines() and not lines("--tracker_config", path)
    flags = ("--association", "jde", "--conf_thres", "0.575")
    expected = lines(*flags)
    assert expected and expected == lines("--tracker_config", path, "--conf_thres", "0.575")
    path.write_text("memory: 2.0\n")  # what the file leaves open, the model's conf_thres too, stays
    assert lines("--tracker_config", path) == lines()


@pytest.mark.parametrize(
    ("content", "part"),
    [("memori: 2", "'memori'"), ("memory: long", "memory must be a number"), ("- memory", "must be a mapping")],
)
def test_a_bad_file_of_tracker_settings_is_told_in_one_line(command, clip, tmp_path, content, part):
    path = tmp_path / "mine.yml"
    path.write_text(content)
    assert command("--video_stream", clip, "--tracker_config", path) == 1
    assert len(command.err.splitlines()) == 1 and str(path) in command.err and part in error_line(command.err)
    assert command("--video_stream", clip, "--tracker_config", tmp_path / "none.yml") == 1
    assert "none.yml" in error_line(command.err) and not command.folder.exists()


@pytest.mark.parametrize(
    ("words", "made"),
    [
        ([], True),
        (["--visualization"], True),
        (["--visualization", "True"], True),
        (["--visualization=yes"], True),
        (["--visualization", "False"], False),
        (["--visualization", "false"], False),
        (["--visualization", "no"], False),
        (["--visualization=0"], False),
    ],
)
def test_visualization_means_what_it_says(command, clip, words, made):
    assert command("--video_stream", clip, *words) == 0
    assert command.video.exists() == made and (command.result.video_path is not None) == made
    assert command.text.exists() and (command.folder / "mot_outputs").exists() == made


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["--visualization", "maybe"], "--visualization: 'maybe' is neither True nor False"),
        (["--use_gpu", "2"], "--use_gpu: '2' is neither True nor False"),
        (["--nms_top_k", "2.5"], "--nms_top_k: invalid int value: '2.5'"),
        (["--draw_threshold", "high"], "--draw_threshold: invalid float value: 'high'"),
        (["--threads", "two"], "--threads: invalid int value: 'two'"),
        (["--nonsense", "1"], "unrecognized arguments: --nonsense"),
        (["another.mp4"], "error: one SOURCE is required, by itself or as --video_stream SOURCE"),
    ],
)
def test_words_that_are_no_options_are_told_with_the_usage(command, clip, words, named):
    assert command("--video_stream", clip, *words) == 2
    assert command.err.startswith("usage: ") and command.err.splitlines()[-1].endswith(named)
    assert not command.folder.exists()


def test_a_video_is_asked_for(command):
    assert command() == 2
    assert "SOURCE" in command.err and "required" in command.err
    assert command("track") == 2 and "required" in command.err


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["--draw_threshold", "2"], "draw_threshold must be a number from 0 to 1, not 2.0"),
        (["--draw_threshold", "nan"], "draw_threshold must be a number from 0 to 1, not nan"),
        (["--nms_threshold", "-1"], "nms_threshold must be a number from 0 to 1, not -1.0"),
        (["--keep_top_k", "0"], "keep_top_k must be a whole number of at least 1, not 0"),
        (["--track_buffer", "-1"], "track_buffer must be a number of at least 0, not -1.0"),
        (["--association", "magic"], "association must be one of fused, byte, jde, not 'magic'"),
        (["--frame_rate", "0"], "frame_rate must be a positive number, got 0.0"),
        (["--timeout", "-1"], "timeout must be a positive number, got -1.0"),
        (["--threads", "0"], "threads must be"),
        (["--from_device"], "camera"),
        (["--output_dir", "~nobody-of-this-name/out"], "'~nobody-of-this-name/out'"),
        (["--model", "compakt"], "there is no model 'compakt'"),
        (["--backend", "onnx"], "backend must be one of auto,"),
        (["--precision", "int4"], "precision must be one of auto, fp32, bf16, int8, not 'int4'"),
        (["--skip_frames", "0"], "skip_frames must be a whole number of at least 1, not 0"),
        (["--backend", "paddle", "--precision", "bf16"], "precision bf16 needs backend openvino"),
        (["--backend", "openvino", "--use_gpu"], "backend openvino runs on the processor: leave use_gpu off"),
    ],
)
def test_wrong_values_are_named_in_one_line(module, command, clip, capsys, words, named):
    general = [] if words[0] == "--output_dir" else ["--output_dir", str(command.folder)]
    with pytest.raises(SystemExit) as end:
        module.run_cmd(["--video_stream", str(clip), "--model", "compact", *general, *words])
    out, err = capsys.readouterr()
    assert end.value.code == 1 and out == ""
    assert len(err.splitlines()) == 1 and err.startswith("error: ") and named in err
    assert not command.folder.exists()


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
        (1000, "results/street.txt: File too large"),
        (100_000, "outputs/street_vis.mp4: File too large"),  # its first part finds no room, midway
        (250_000, "outputs/street_vis.mp4: "),  # its last part finds none, at the end
    ],
)
def test_a_full_disk_is_told_and_keeps_whole_lines(command, clip_frames, tmp_path, room, reason):
    longer = write_video(tmp_path / "street.mp4", clip_frames[:24], rate=10)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, hard))
    try:
        code = command("--video_stream", longer)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert code == 1 and command.out == "", "frames are missing from the video, and nothing is said"
    assert len(command.err.splitlines()) == 1 and reason in error_line(command.err)
    lines = command.text.read_text().splitlines(keepends=True)
    assert lines and all(line.endswith(",-1,-1,-1\n") and line.count(",") == 9 for line in lines)
    if room > 1000:
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
            assert sorted(path.name for path in folder.rglob("*.*")) == ["pedestrians.txt", "pedestrians_vis.mp4"]
    finally:
        for process in running.values():
            process.kill()
            process.wait()
