"""A long video in parts: the same frames, and the same people on both sides of a cut."""

import numpy as np
import pytest

from tests.helpers.crowds import switches, track_all, walkers
from tests.helpers.paths import CLIP
from tests.helpers.videos import number_of, numbered_frames, write_video
from tracker import track_batch
from tracker.errors import OptionError
from tracker.library.parts import cuts
from tracker.library.parts.cuts import Part, PartSource, cut, read_length
from tracker.library.parts.join import join
from tracker.sources import open_source
from tracker.structures import FrameTracks

RATE = 10
KEYS = {"g": "8", "keyint_min": "8", "bf": "2", "x264-params": "scenecut=0:open-gop=0"}


@pytest.fixture
def short(monkeypatch):
    """Parts of seconds, which share one second."""
    monkeypatch.setattr(cuts, "OVERLAP", 1.0)
    monkeypatch.setattr(cuts, "SHORTEST", 1.0)


@pytest.fixture
def video(tmp_path):
    return write_video(tmp_path / "street.mp4", numbered_frames(46), rate=RATE, options=KEYS)


def test_parts_have_the_frames_of_the_whole(short, video):
    parts = cut(video, 1.2)
    assert [part.first for part in parts] == [0, 16, 32]
    assert [part.stop for part in parts] == [26, 42, 46]
    with open_source(video) as source:
        whole = {frame.index: (frame.time, number_of(frame.image)) for frame in source}
        rate = source.frame_rate
    for part in parts:
        with PartSource(video, part) as source:
            found = {frame.index: (frame.time, number_of(frame.image)) for frame in source}
            assert source.frame_rate == rate
        expected = {index: whole[index] for index in range(part.first, part.stop)}
        assert found.keys() == expected.keys()
        assert np.allclose(list(found.values()), list(expected.values()))


def test_what_cannot_be_cut_is_left_whole(short, tmp_path, caplog):
    assert cut(write_video(tmp_path / "short.mp4", numbered_frames(12), rate=RATE, options=KEYS), 1.2) == []
    options = {"g": "100", "x264-params": "scenecut=0"}
    assert cut(write_video(tmp_path / "one.mp4", numbered_frames(46), rate=RATE, options=options), 1.2) == []
    assert "no key frames to cut it at" in caplog.text
    assert cut(tmp_path, 1.2) == [], "a folder of images"


@pytest.mark.parametrize(("text", "seconds"), [("10m", 600), ("90s", 90), ("1.5h", 5400), (45, 45), ("45", 45)])
def test_lengths(text, seconds):
    assert read_length(text) == seconds


@pytest.mark.parametrize("text", ["5", "10 minutes", "", None, -60, "0m", "nan"])
def test_lengths_that_are_none(text):
    with pytest.raises(OptionError, match="parts must be a length such as 10m, 20 s or more, not"):
        read_length(text)


def rows_of(tracks_of_frames, first):
    """The MOT table of tracks, of which the first is that of a frame of this number, from 0."""
    rows = [
        [first + number + 1, identity, *box, score]
        for number, tracks in enumerate(tracks_of_frames)
        for identity, box, score in zip(tracks.ids, tracks.boxes, tracks.scores)
    ]
    return np.array(rows).reshape(-1, 7)


def frames_of(table, count):
    for number in range(1, count + 1):
        rows = table[table[:, 0] == number]
        yield FrameTracks(number, rows[:, 1].astype(int), rows[:, 2:6], rows[:, 6])


@pytest.mark.parametrize("seed", range(2))
def test_who_walks_across_a_cut_keeps_the_number(seed):
    frames, truth = walkers(seed, people=6, frames=900)
    bounds = [(0, 400), (300, 700), (600, 900)]
    parts = [Part(0, first, stop, first / 30, 30.0) for first, stop in bounds]
    joined = join([rows_of(track_all(frames[first:stop]), first) for first, stop in bounds], parts)
    whole = rows_of(track_all(frames), 0)
    assert abs(len(np.unique(joined[:, 1])) - len(np.unique(whole[:, 1]))) <= 1
    in_parts = switches(list(frames_of(joined, 900)), truth)
    in_one = switches(list(frames_of(whole, 900)), truth)
    assert in_parts <= in_one + 1
    assert abs(len(joined) - len(whole)) < 0.01 * len(whole)
    first_seen = [joined[joined[:, 1] == identity][0, 0] for identity in range(1, int(joined[:, 1].max()) + 1)]
    assert first_seen == sorted(first_seen), "numbers do not go by appearance"


def test_who_is_in_one_part_only_gets_a_number_of_their_own():
    def walk(identity, first, stop, left):
        return [[frame, identity, left, 10, 20, 50, 0.9] for frame in range(first, stop)]

    before = np.array(sorted(walk(1, 1, 21, 0) + walk(2, 1, 12, 100)))
    after = np.array(sorted(walk(1, 18, 31, 300) + walk(2, 11, 31, 1)))
    joined = join([before, after], [Part(0, 0, 20, 0.0, 10.0), Part(0, 10, 30, 1.0, 10.0)])
    assert {identity: set(joined[joined[:, 1] == identity][:, 2]) for identity in (1, 2, 3)} == {
        1: {0, 1},  # one person, whom the second part has called 2
        2: {100},
        3: {300},
    }
    assert len(joined) == len({(row[0], row[1]) for row in joined.tolist()}), "somebody is twice in a frame"


@pytest.mark.slow
def test_the_demo_clip_in_parts_is_what_it_is_in_one_piece(tmp_path, monkeypatch):
    monkeypatch.setattr(cuts, "OVERLAP", 3.0)
    monkeypatch.setattr(cuts, "SHORTEST", 3.0)
    frames = []
    with open_source(CLIP) as source:
        frames = [frame.image for frame in source]
        rate = source.frame_rate
    clip = write_video(tmp_path / "street.mp4", frames, rate=rate, options={"g": "15"})
    scene = {"lines": {"middle": {"points": [[0.5, 0], [0.5, 1]]}}}
    options = {"model": "compact", "visualization": False, "scene": scene, "jobs": 2}
    (one,) = track_batch(clip, tmp_path / "one", **options).rows
    (many,) = track_batch(clip, tmp_path / "many", parts=4, **options).rows
    assert (many.state, many.frames) == ("tracked", one.frames)
    assert abs(many.people - one.people) <= max(1, 0.05 * one.people)
    for name in ("mot_results/street_times.csv", "answers/street/counts.csv"):
        assert (tmp_path / "one" / name).exists() and (tmp_path / "many" / name).exists()
    times = [(tmp_path / name / "mot_results" / "street_times.csv").read_text() for name in ("one", "many")]
    assert times[0] == times[1]
    assert not (tmp_path / "many" / ".batch").exists()
    again = track_batch(clip, tmp_path / "many", parts=4, resume=True, **options)
    assert [row.state for row in again.rows] == ["unchanged"]


def test_options_that_do_not_go_with_parts(video, tmp_path):
    for options, part in (({"refine": True}, "parts and refine"), ({"anonymise": "head"}, "parts and anonymise")):
        with pytest.raises(OptionError, match=part):
            track_batch(video, tmp_path / "out", model="compact", parts="10m", **options)
    with pytest.raises(OptionError, match="parts need a folder that all workers share"):
        track_batch(video, "memory://out", model="compact", parts="10m")
