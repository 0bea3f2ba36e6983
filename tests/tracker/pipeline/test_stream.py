"""Images handed over one by one: their times, and what can be asked for before the stream is closed."""

import pytest

from tests.helpers.fake_pipeline import FakeDetector, numbered
from tracker.errors import OutputError
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
    assert set(stream.result().files) == {"text", "video", "refined"}


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
    assert set(stream.result().files) == {"text", "video"}
    assert len(list(stream.result())) == 3
