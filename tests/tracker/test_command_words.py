"""The words of the command line: help, commands, options that are none, values that are wrong."""

import dataclasses
import json
import sys

import pytest

from tests.helpers.hub import NAME, error_line

COMMON_OPTIONS = """
    sources
    video_stream from_device frame_rate skip_frames model use_gpu threads backend precision device input_size output_dir
    tracker_config visualization draw_threshold refine scene start interval language trails
    anonymise only except private
    events webhook webhook_secret_file cooldown mqtt mqtt_password_file mqtt_discovery push save_embeddings
    preview show progress json association conf_thres min_box_area score_threshold help help_all version
"""
OTHER_OPTIONS = """
    timeout max_pixels nms_threshold nms_top_k keep_top_k vertical_ratio
    embedding_momentum low_thres memory match_thresh min_overlap low_match_thresh new_match_thresh sure_margin
    confirm_evidence max_evidence camera_motion appearance_weight reid_sigma max_speed
    det_thresh track_buffer tracked_thresh r_tracked_thresh unconfirmed_thresh
    refine_relink_seconds refine_relink_quantile refine_relink_ratio refine_relink_speed refine_motion_seconds
    reconnect give_up rtsp_transport max_lag realtime split keep
    people_count heat_interval remember
    refine_ghost_seconds refine_ghost_quantile refine_fill_seconds refine_fill_support refine_smooth_seconds
"""


def tracker_command():
    """The module that the hub module uses, which PaddleHub has imported under a name of its own."""
    (module,) = [module for name, module in sys.modules.items() if name.endswith(f"{NAME}.tracker.command")]
    return module


def flags_in(help):
    return {word.strip("[],;-") for word in help.split() if word.startswith("--") and len(word) > 2}


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

    greet = tracker_command().track.Command("Greet.", "NAME", add_arguments, lambda _, values: Greeting(values["name"]))
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
        (["another.mp4"], "error: one SOURCE is required, by itself or as --video_stream SOURCE; or --sources FILE"),
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
        (["--keep_top_k", "0"], "keep_top_k must be a whole number from 1 to 2000, not 0"),
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
        (["--input_size", "big"], "input_size must be auto or WIDTHxHEIGHT in pixels, such as 1920x1088, not 'big'"),
        (["--input_size", "8192x608"], "width of input_size must be a whole number from 1 to 4096, not 8192"),
        (["--input_size", "1000x600"], "multiples of 32 for model jde_compact, not 1000x600: take 992x608"),
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
