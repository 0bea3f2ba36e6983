"""Sinks of one's own in a run: what they get, and what is kept when one of them fails."""

import threading

import pytest

from tests.helpers.fake_pipeline import FakeDetector, numbered, rows, sequence_run, shown
from tests.helpers.videos import write_video
from tracker.errors import ModelError, OptionError, OutputError
from tracker.pipeline.track import track_source
from tracker.predictor import Predictor
from tracker.sources import open_source


@pytest.fixture
def clip(tmp_path):
    return write_video(tmp_path / "clip.mp4", numbered(12), rate=10, audio=True)


class Notes:
    """Notes what happens to it; fails at a call, or with a frame, of the given name or number."""

    def __init__(self, fails=None, error=None):
        self.calls, self.threads, self.info, self.fails, self.error = (
            [],
            set(),
            None,
            fails,
            error or RuntimeError("lost the line"),
        )

    def _note(self, call):
        self.calls.append(call)
        self.threads.add(threading.current_thread())
        if call == self.fails:
            raise self.error

    def open(self, info):
        self.info = info
        self._note("open")

    def write(self, frame, tracks):
        assert tracks.boxes.shape == (1, 4) and tracks.ids.tolist() == [1]
        self._note(frame.index)

    def close(self):
        self._note("close")
        return {"notes": "somewhere"}


def test_a_sink_gets_every_frame_and_what_is_known_of_the_sequence(clip, tmp_path):
    notes = Notes()
    result = Predictor(detector=FakeDetector()).mot_predict(clip, tmp_path, sinks=[notes])
    assert notes.calls == ["open", *range(12), "close"]
    assert notes.threads == {threading.main_thread()}, "a sink is free to use what belongs to one thread"
    info = notes.info
    assert (info.name, info.frame_rate, info.size) == ("clip", 10, (160, 96))
    assert info.audio is not None and (info.start, info.pixel_aspect, info.skip_frames) == (0, 1, 1)
    assert result.files == {
        "text": tmp_path / "mot_results" / "clip.txt",
        "times": tmp_path / "mot_results" / "clip_times.csv",
        "run": tmp_path / "mot_results" / "clip_run.json",
        "video": tmp_path / "mot_outputs" / "clip_vis.mp4",
        "notes": "somewhere",
    }
    assert "Notes" in result.stage_fps


def test_a_stream_has_sinks_too_and_none_writes_a_file_unless_asked_to(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    notes = Notes()
    with Predictor(detector=FakeDetector()).stream_mode(None, frame_rate=10, sinks=[notes]) as stream:
        tracked = stream.predict(numbered(3))
    assert notes.calls == ["open", 0, 1, 2, "close"] and notes.info.size == (160, 96)
    assert [len(frame) for frame in tracked] == [1, 1, 1]
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(OutputError, match="no MOT text"):
        list(stream.result())


def test_a_source_without_a_frame_opens_no_sink(tmp_path):
    (tmp_path / "frames").mkdir()
    (tmp_path / "frames" / "1.png").write_bytes(b"no image")
    source, notes = open_source(tmp_path / "frames"), Notes()
    with pytest.raises(Exception, match="no readable frame"):
        track_source(source, sequence_run(source, tmp_path, sinks=[notes]))
    assert notes.calls == [] and not (tmp_path / "mot_results").exists()


@pytest.mark.parametrize("place", ["open", 5, "close"])
def test_a_sink_that_fails_ends_the_run_and_what_the_others_have_is_whole(clip, tmp_path, place):
    before, fails, after = Notes(), Notes(place), Notes()
    before.name, fails.name = "first", "JSON lines"
    source = open_source(clip)
    with pytest.raises(OutputError, match="sink JSON lines failed with RuntimeError: lost the line"):
        track_source(source, sequence_run(source, tmp_path, sinks=[before, fails, after]))
    frames = {"open": 0, 5: 5, "close": 12}[place]
    written = rows(tmp_path)
    assert [row[0] for row in written] == list(range(1, len(written) + 1)) and len(written) >= frames
    # the one before has the frame that the other failed at, as the video has
    complete = min(frames + 1, 12) if place == 5 else frames
    assert shown(tmp_path)[0] == list(range(complete)) if complete else not list((tmp_path / "mot_outputs").glob("*"))
    assert before.calls == ["open", *range(complete), "close"]
    assert after.calls == ([] if place == "open" else ["open", *range(frames), "close"])
    assert fails.calls.count("close") == (place != "open"), "what could not be opened is not closed"


def test_an_error_of_ours_keeps_its_kind_and_tells_the_sink(clip, tmp_path):
    source = open_source(clip)
    with pytest.raises(OptionError, match=r"no such column \(sink Notes\)"):
        track_source(source, sequence_run(source, tmp_path, sinks=[Notes(3, OptionError("no such column"))]))
    assert shown(tmp_path)[0] == list(range(4))


def test_a_sink_that_could_not_be_opened_is_tried_again_with_the_next_image(tmp_path):
    stream = Predictor(detector=FakeDetector()).stream_mode(tmp_path / "results", visualization=False)
    (tmp_path / "results").write_text("a file where a folder must be")
    for _ in range(2):
        with pytest.raises(OutputError, match="cannot make the folder"):
            stream.predict(numbered(1))
    (tmp_path / "results").unlink()
    with stream:
        stream.predict(numbered(2))
    assert [row[0] for row in rows(tmp_path / "results")] == [1, 2]


def test_files_of_one_kind_do_not_replace_each_other(clip, tmp_path, caplog):
    class Text(Notes):
        def close(self):
            return {"text": tmp_path / "mine.txt"}

    result = Predictor(detector=FakeDetector()).mot_predict(clip, tmp_path, sinks=[Text()])
    assert result.text_path == tmp_path / "mot_results" / "clip.txt" and result.frames == len(list(result))
    assert "mine.txt of sink Text is not in the result" in caplog.text


def test_sinks_are_closed_after_an_error_elsewhere(clip, tmp_path):
    def fails(number):
        if number == 4:
            raise ModelError("broken")

    source, notes, late = open_source(clip), Notes(), Notes("close")
    with pytest.raises(ModelError, match="broken"):
        track_source(source, sequence_run(source, tmp_path, FakeDetector(fails), sinks=[late, notes]))
    assert notes.calls == late.calls == ["open", 0, 1, 2, 3, "close"]


@pytest.mark.parametrize("sinks", ["text", None, [print], [Notes], [object()]])
def test_what_is_no_sink_is_refused_before_anything_is_opened(sinks, clip, tmp_path):
    with pytest.raises(OptionError, match="sink"):
        Predictor(detector=FakeDetector()).mot_predict(tmp_path / "missing.mp4", tmp_path, sinks=sinks)
