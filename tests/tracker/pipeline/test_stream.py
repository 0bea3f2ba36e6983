"""Images handed over one by one: their times, and what can be asked for before the stream is closed."""

import signal

import pytest

from tests.helpers.fake_pipeline import FakeDetector, numbered, shown
from tracker.errors import OptionError, OutputError
from tracker.predictor import Predictor


@pytest.fixture
def predictor():
    return Predictor(detector=FakeDetector())


def test_the_tracks_so_far_can_be_read_while_the_stream_is_open(predictor, tmp_path):
    with predictor.stream_mode(tmp_path, refine=True) as stream:
        assert stream.result().files == {}
        stream.predict(numbered(3))
        assert [frame.ids.tolist() for frame in stream.result()] == [[1]] * 3
        assert len(stream.result().to_dataframe()) == 3
        assert set(stream.result().files) == {"text"}, "the others are not complete"
    assert set(stream.result().files) == {"text", "times", "run", "video", "refined"}


def test_files_are_told_also_where_another_one_fails_at_the_end(predictor, tmp_path):
    class Fails:
        def open(self, info): ...

        def write(self, frame, tracks): ...

        def close(self):
            raise OSError("lost the line")

    stream = predictor.stream_mode(tmp_path, sinks=[Fails()])
    stream.predict(numbered(3))
    with pytest.raises(OutputError, match="lost the line"):
        stream.close()
    assert set(stream.result().files) == {"text", "times", "run", "video"}
    assert len(list(stream.result())) == 3


@pytest.mark.parametrize("start", [0.0, -5.0, 1.7e9])  # the last as time.time gives it
def test_times_count_from_the_first_image(predictor, tmp_path, start):
    with predictor.stream_mode(tmp_path, frame_rate=10) as stream:
        stream.predict(numbered(2), times=[start, start + 0.1])
        stream.predict(numbered(3)[2], times=start + 0.5)
        stream.predict(numbered(4)[3])
    assert shown(tmp_path)[1] == pytest.approx([0, 0.1, 0.5, 0.6], abs=1e-3)


@pytest.mark.parametrize(
    ("times", "message"),
    [
        ([0, 1], "no more times"),
        ([0, 1, 2, 3], "no more images"),
        (0, "times must be a list of seconds"),
        ([0, 1, 1], "1.0 s follows 1.0 s"),
        ([0, 1, float("nan")], "the time of an image must be a number"),
    ],
)
def test_times_that_do_not_fit_the_images_are_refused(predictor, times, message):
    with predictor.stream_mode(None) as stream, pytest.raises(OptionError, match=message):
        stream.predict(numbered(3), times=times)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("within", [True, False], ids=["within a frame", "between frames"])
def test_a_signal_closes_the_files_with_whole_frames(number, within, tmp_path):
    if number != signal.SIGINT:
        signal.signal(number, signal.SIG_DFL)
    detector = FakeDetector(lambda frame: signal.raise_signal(number) if within and frame == 2 else None)
    before = signal.getsignal(number)
    with pytest.raises((KeyboardInterrupt, SystemExit)), Predictor(detector=detector).stream_mode(tmp_path) as stream:
        stream.predict(numbered(3))
        signal.raise_signal(number)
        pytest.fail("it went on")
    assert shown(tmp_path)[0] == [0, 1, 2] and stream.result().frames == 3
    assert signal.getsignal(number) is before
