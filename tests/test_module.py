"""The Python API on the installed module: what it writes, returns, refuses, and leaves when it is interrupted."""

import concurrent.futures
import itertools
import signal
import threading
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from tests.helpers.paths import CLIP
from tests.helpers.videos import write_video
from tracker.settings.version import VERSION
from tracker.sinks.mot_text import read_mot


def errors():
    """The module's own error types, from the package hub installed."""
    import importlib

    return importlib.import_module("jde_darknet53_30e_1088x608.tracker.errors")


def test_both_places_state_one_version(module):
    assert str(module.version) == VERSION


@pytest.fixture(scope="module")
def short_clip(tmp_path_factory, clip_frames):
    path = tmp_path_factory.mktemp("clip") / "street.mp4"
    write_video(path, clip_frames[:12], rate=10)
    return path


@pytest.fixture(scope="module")
def result(module, short_clip, tmp_path_factory):
    return module.mot_predict(short_clip, output_dir=tmp_path_factory.mktemp("result"))


def decoded(path):
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        return (
            stream.codec_context.name,
            stream.pix_fmt,
            [f.to_ndarray(format="bgr24") for f in container.decode(stream)],
        )


def test_files_lie_where_promised(result, short_clip):
    folder = result.text_path.parent.parent
    assert result.text_path == folder / "mot_results" / "street.txt"
    assert result.video_path == folder / "mot_outputs" / "street_vis.mp4"
    files = sorted(path.name for path in folder.rglob("*") if path.is_file())
    assert files == ["street.txt", "street_run.json", "street_times.csv", "street_vis.mp4"]


def test_text_has_the_format_of_motchallenge(result):
    lines = result.text_path.read_text().splitlines()
    table = np.array([[float(v) for v in line.split(",")] for line in lines])
    assert table.shape[1] == 10 and (table[:, 7:] == -1).all()
    assert set(table[:, 0]) == set(range(1, 13))
    assert table[:, 1].min() == 1 and (table[:, 1] % 1 == 0).all()
    assert ((table[:, 6] > 0.5) & (table[:, 6] <= 1)).all()
    # three people are in sight throughout, and boxes are in pixels of the original image
    assert len(table) >= 12 * 3
    assert (table[:, 2] + table[:, 4]).max() < 800 and (table[:, 3] + table[:, 5]).max() < 600
    assert (table[:, 5] > 30).all()


def test_video_shows_the_boxes(result, clip_frames):
    codec, pixel_format, frames = decoded(result.video_path)
    assert (codec, pixel_format, len(frames)) == ("h264", "yuv420p", 12)
    assert frames[0].shape == (576, 768, 3)
    changed = np.abs(frames[5].astype(int) - clip_frames[5]).max(axis=2) > 60
    for left, top, _, height in list(result)[5].boxes:
        rows = slice(max(0, int(top)), int(top + height))
        edge = changed[rows, max(0, int(left) - 2) : int(left) + 3]
        assert edge.any(axis=1).mean() > 0.8, "the left side of the box is not drawn"


def test_result_says_what_was_done(result):
    assert (result.frames, result.skipped, result.model) == (12, 0, "jde_compact")
    assert result.people == len({i for frame in result for i in frame.ids})
    assert result.seconds > 0 and {"read", "network", "track", "encode"} <= set(result.stage_fps)
    summary = str(result)
    for part in ("12 frames", f"{result.people} people", "jde_compact", str(result.text_path), str(result.video_path)):
        assert part in summary


def test_result_iterates_over_frames_and_becomes_a_table(result):
    frames = list(result)
    assert [f.frame for f in frames] == list(range(1, 13))
    table = read_mot(result.text_path)
    assert sum(len(f) for f in frames) == len(table)
    np.testing.assert_array_equal(frames[0].boxes, table[table[:, 0] == 1][:, 2:6])
    assert len(list(result)) == 12, "a second loop starts anew"
    data = result.to_dataframe()
    assert list(data.columns) == ["frame", "id", "left", "top", "width", "height", "score"] and len(data) == len(table)


def test_draw_threshold_only_draws(module, short_clip, result, tmp_path):
    bare = module.mot_predict(short_clip, output_dir=tmp_path, draw_threshold=1.0)
    assert bare.text_path.read_text() == result.text_path.read_text()
    drawn, plain = decoded(result.video_path)[2][5], decoded(bare.video_path)[2][5]
    assert (np.abs(drawn.astype(int) - plain).max(axis=2) > 60).sum() > 1000


def test_visualization_false_makes_no_video(module, short_clip, tmp_path):
    made = module.mot_predict(short_clip, output_dir=tmp_path, visualization=False)
    assert made.video_path is None and not (tmp_path / "mot_outputs").exists()
    assert made.text_path.exists()


def test_empty_output_dir_is_the_current_folder(module, short_clip, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    module.tracking(str(short_clip), visualization=False)
    assert (tmp_path / "mot_results" / "street.txt").exists()


def test_another_run_overwrites_its_own_files_only(module, short_clip, tmp_path):
    for folder in ("mot_results", "mot_outputs"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "other.txt").write_text("mine")
    (tmp_path / "mot_results" / "street.txt").write_text("an older run\n" * 1000)
    made = module.mot_predict(short_clip, output_dir=tmp_path)
    assert "older" not in made.text_path.read_text()
    assert [(tmp_path / f / "other.txt").read_text() for f in ("mot_results", "mot_outputs")] == ["mine", "mine"]


def test_stream_mode_gives_what_the_file_gives(module, clip_frames, tmp_path):
    folder = tmp_path / "images"
    folder.mkdir()
    for number, frame in enumerate(clip_frames[:6]):
        cv2.imwrite(str(folder / f"{number}.png"), frame)
    of_files = module.mot_predict(folder, output_dir=tmp_path / "files", visualization=False)
    with module.stream_mode(output_dir=tmp_path / "stream") as stream:
        frames = stream.predict(clip_frames[:4]) + stream.predict(clip_frames[4]) + stream.predict(clip_frames[5:6])
    assert stream.result().text_path.read_text() == of_files.text_path.read_text()
    assert [f.frame for f in frames] == [1, 2, 3, 4, 5, 6]
    np.testing.assert_allclose(frames[5].boxes, list(of_files)[5].boxes, atol=0.01)
    assert len(decoded(stream.result().video_path)[2]) == 6
    with pytest.raises(RuntimeError, match="closed"):
        stream.predict(clip_frames[:1])


def test_options_reach_detection_and_association(module, short_clip, tmp_path):
    def scores(threshold):  # of association jde, which shows whatever is above the threshold
        options = {"association": "jde", "conf_thres": threshold}
        tracked = module.mot_predict(short_clip, output_dir=tmp_path, visualization=False, **options)
        return np.sort(np.concatenate([frame.scores for frame in tracked]))

    usual = scores(0.6)
    assert 0 < len(scores(float(np.median(usual)))) < len(usual)
    none = module.mot_predict(short_clip, output_dir=tmp_path, visualization=False, score_threshold=1.0)
    assert none.text_path.read_text() == "" and none.frames == 12 and none.people == 0
    assert [len(f) for f in none] == [0] * 12


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"draw_threshold": 1.5}, "draw_threshold must be a number from 0 to 1, not 1.5"),
        ({"draw_threshold": "0.5"}, "draw_threshold must be a number"),
        ({"visualization": "False"}, "visualization must be True or False"),
        ({"use_gpu": 1}, "use_gpu must be True or False"),
        ({"from_device": "yes"}, "from_device must be True or False"),
        ({"output_dir": 3}, "output_dir must be a path"),
        ({"frame_rate": 0}, "frame_rate must be"),
        ({"nonsense": 1}, "unknown option 'nonsense'"),
        ({"nms_threshold": 2}, "nms_threshold must be a number from 0 to 1"),
        ({"nms_top_k": 2.5}, "nms_top_k must be a whole number"),
        ({"track_buffer": -1}, "track_buffer must be a number of at least 0"),
        ({"association": "magic"}, "association must be one of fused, byte, jde"),
    ],
)
def test_bad_options_are_refused_by_name(module, short_clip, tmp_path, arguments, message):
    with pytest.raises(errors().OptionError, match=message):
        module.mot_predict(short_clip, **{"output_dir": tmp_path, **arguments})
    assert not list(tmp_path.iterdir())


def test_paddle_stays_in_the_mode_it_was_in(module, short_clip, tmp_path):
    import paddle

    paddle.disable_static()
    module.mot_predict(short_clip, output_dir=tmp_path, visualization=False)
    with pytest.raises(errors().SourceError):
        module.mot_predict(tmp_path / "nothing.mp4", output_dir=tmp_path)
    assert paddle.in_dynamic_mode()


def test_a_source_without_frames_leaves_older_results_alone(module, tmp_path):
    (tmp_path / "mot_results").mkdir()
    older = tmp_path / "mot_results" / "clip.txt"
    older.write_text("1,1,1,1,1,1,1,-1,-1,-1\n")
    broken = tmp_path / "clip.mp4"
    broken.write_bytes(b"no video at all" * 100)
    with pytest.raises(errors().SourceError, match=r"clip\.mp4"):
        module.mot_predict(broken, output_dir=tmp_path)
    assert older.read_text()


@pytest.mark.parametrize("blocked", ["mot_results", "mot_outputs"])
def test_an_unwritable_output_folder_is_one_clear_error(module, short_clip, tmp_path, blocked):
    (tmp_path / blocked).write_text("a file where a folder must be")
    with pytest.raises(errors().OutputError, match=blocked) as caught:
        module.mot_predict(short_clip, output_dir=tmp_path)
    assert "\n" not in str(caught.value)


def test_gpu_is_refused_where_there_is_none(module, short_clip, tmp_path):
    import paddle

    if paddle.is_compiled_with_cuda() and paddle.device.cuda.device_count():
        pytest.skip("this machine has a GPU")
    with pytest.raises(errors().ModelError, match="use_gpu"):
        module.mot_predict(short_clip, output_dir=tmp_path, use_gpu=True)


@pytest.mark.parametrize(("number", "raised"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, SystemExit)])
def test_signals_end_the_run_in_order(module, tmp_path, number, raised):
    over = threading.Event()

    def interrupt():
        while not any(path.stat().st_size > 500 for path in tmp_path.glob("mot_results/*")):
            if over.wait(0.05):
                return
        signal.raise_signal(number)  # reaches Python in the main thread, whichever thread raises it

    watcher = threading.Thread(target=interrupt)
    watcher.start()
    try:
        with pytest.raises(raised) as caught:
            module.mot_predict(CLIP, output_dir=tmp_path)
    finally:
        over.set()
        watcher.join()
    if raised is SystemExit:
        assert caught.value.code == 143
    assert_complete(tmp_path)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_an_error_in_a_stage_keeps_what_was_done(module, clip_frames, tmp_path):
    with pytest.raises(errors().OptionError, match="complex64"), module.stream_mode(output_dir=tmp_path) as stream:
        stream.predict([*clip_frames[:5], np.zeros((4, 4, 3), np.complex64)])
    assert_complete(tmp_path, frames=5)


def assert_complete(folder, frames=None):
    """Text and video end with the same whole frame."""
    (text,), (video,) = (folder / "mot_results").glob("*.txt"), (folder / "mot_outputs").iterdir()
    content = text.read_text()
    assert content.endswith("\n")
    last = int(content.splitlines()[-1].split(",")[0])
    shown = len(decoded(video)[2])
    assert last == shown and 0 < shown < 300
    if frames is not None:
        assert shown == frames


def test_works_off_the_main_thread_and_in_several_at_once(module, short_clip, result, tmp_path):
    def predict(number):
        return module.mot_predict(short_clip, output_dir=tmp_path / str(number), visualization=False)

    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for made in pool.map(predict, range(2)):
            assert made.text_path.read_text() == result.text_path.read_text()


def test_predictor_is_built_once(module, short_clip, tmp_path):
    module.mot_predict(short_clip, output_dir=tmp_path, visualization=False)
    before = dict(module._loaded)
    module.mot_predict(short_clip, output_dir=tmp_path, visualization=False)
    assert module._loaded == before
    assert len({runtime.throughput for runtime in before}) == len(before), "one for videos, one for streams of images"


@pytest.mark.parametrize(
    ("shape", "dtype"),
    [
        *itertools.product(
            [(1, 1), (2, 3), (17, 31, 3), (40, 1000, 3), (1000, 10, 3), (64, 64, 4)], [np.uint8, np.uint16]
        ),
        ((4320, 7680, 3), np.uint8),
    ],
)
def test_images_of_every_size_and_kind(module, tmp_path, shape, dtype):
    random = np.random.default_rng(0)
    image = random.integers(0, np.iinfo(dtype).max, shape, dtype)
    with module.stream_mode(output_dir=tmp_path) as stream:
        (frame,) = stream.predict([image])
    assert frame.frame == 1 and np.isfinite(frame.boxes).all()
    height, width = shape[:2]
    shown = decoded(stream.result().video_path)[2][0]
    assert shown.shape[:2] == (max(2, height + height % 2), max(2, width + width % 2))


def test_people_are_found_in_grey_and_16_bit_pictures(module, clip_frames, tmp_path):
    color = clip_frames[0]
    deep = color.astype(np.uint16) * 257
    grey = cv2.cvtColor(color, cv2.COLOR_BGR2GRAY)
    counts = []
    for number, image in enumerate((color, deep, grey)):
        with module.stream_mode(output_dir=tmp_path / str(number), visualization=False) as stream:
            counts.append(len(stream.predict([image])[0]))
    assert counts[0] == counts[1] >= 3 and counts[2] >= 3


def test_frame_size_may_change_midway(module, clip_frames, tmp_path):
    half = cv2.resize(clip_frames[1], None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    with module.stream_mode(output_dir=tmp_path) as stream:
        first, second = stream.predict([clip_frames[0], half])
    assert len(first) >= 3
    assert second.boxes.size == 0 or (second.boxes[:, 0] + second.boxes[:, 2]).max() < 800
    assert [f.shape for f in decoded(stream.result().video_path)[2]] == [(576, 768, 3)] * 2


def test_memory_and_files_stay_flat_over_a_long_stream(module, clip_frames, tmp_path):
    """Resident memory over some hundred frames, once all buffers exist."""
    small = [cv2.resize(f, (64, 48)) for f in clip_frames[:10]]

    def resident():
        return int(Path("/proc/self/statm").read_text().split()[1]) * 4096

    with module.stream_mode(output_dir=tmp_path, visualization=False) as stream:
        for _ in range(10):
            stream.predict(small)
        before = resident()
        for _ in range(20):
            stream.predict(small)
        assert resident() - before < 10e6


def test_the_module_takes_the_size_of_its_input(module, short_clip, tmp_path):
    other = type(module)(model="compact", input_size="640x352")
    result = other.mot_predict(short_clip, output_dir=tmp_path, visualization=False)
    assert result.frames == 12 and result.people >= 3
    (loaded,) = other._loaded.values()
    assert (loaded.config.letterbox.width, loaded.config.letterbox.height) == (640, 352)
    with pytest.raises(errors().OptionError, match="serving_options, input_size and device"):
        type(module)(size="640x352")
