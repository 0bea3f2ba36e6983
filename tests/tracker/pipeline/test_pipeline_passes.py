"""Several forward passes under way at once: order, and what is kept when one of them or the source fails."""

import threading

import pytest

from tests.helpers.fake_pipeline import FakeDetector, Live, numbered, rows, sequence_run, shown
from tests.helpers.videos import write_video
from tracker.errors import ModelError
from tracker.pipeline.track import track_source
from tracker.sources import open_source


@pytest.fixture
def clip(tmp_path):
    return write_video(tmp_path / "clip.mp4", numbered(20), rate=10, audio=True)


class Passes(FakeDetector):
    """Two forward passes at once, each of which ends when it is waited for; ``under_way`` notes how many there were."""

    max_in_flight = 2

    def __init__(self, forward=lambda number: None):
        super().__init__(forward)
        self.open, self.under_way, self.changed = 0, [], threading.Condition()

    def start(self, preprocessed):
        with self.changed:
            self.open += 1
            self.under_way.append(self.open)
            self.changed.notify_all()

        def wait():
            # an older pass stays open until as many as may be are under way; the last ones have no successor
            with self.changed:
                self.changed.wait_for(lambda: preprocessed > 16 or self.open > self.max_in_flight, 10)
                self.open -= 1
            self.forward(preprocessed)
            return [preprocessed]

        return wait


def test_several_passes_are_under_way_and_frames_stay_in_order(clip, tmp_path):
    source, detector = open_source(clip), Passes()
    result = track_source(source, sequence_run(source, tmp_path, detector))
    assert max(detector.under_way) == detector.max_in_flight + 1, "as many as its inputs allow, and no more"
    assert result.frames == 20 and [row[0] for row in rows(tmp_path)] == list(range(1, 21))
    assert shown(tmp_path)[0] == list(range(20))


@pytest.mark.parametrize("fault", ["pass", "source"])
def test_frames_whose_passes_are_under_way_are_not_lost_to_a_later_error(fault, clip, tmp_path, monkeypatch):
    def fails(number):
        if number == 7:
            raise ModelError("made to fail")

    if fault == "source":
        source = Live(20, fails)
        source.live = False
        detector = Passes()
        detector.changed.wait_for = lambda *_: None  # no later pass comes to end the earlier ones
    else:
        source, detector = open_source(clip), Passes(fails)
    with pytest.raises(ModelError, match="made to fail"):
        track_source(source, sequence_run(source, tmp_path, detector))
    assert rows(tmp_path)[-1][0] == 7 and shown(tmp_path)[0] == list(range(7))
