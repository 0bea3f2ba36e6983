"""The whole refinement: what goes in, what comes out, and that it makes a recorded sequence better."""

import contextlib
import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers.paths import SHARED
from tests.helpers.tables_of_tracks import OFF, random_embeddings, strangers, tagged, walk
from tracker.association.jde_tracker import JDETracker
from tracker.errors import OptionError
from tracker.evaluation.mot_metrics import evaluate
from tracker.refinement.interpolate import smooth
from tracker.refinement.refine import AppearanceLog, refine, refine_file
from tracker.settings.refinement import RefineSettings
from tracker.settings.tracking import TrackerConfig
from tracker.sinks.mot_text import MotWriter, read_table
from tracker.structures import Detections, Recognised, Tracks

SHARED = SHARED / "data"
SEEDS = st.integers(0, 2**32 - 1)


def random_tracks(seed, tracks=12, frames=80):
    """Walkers with gaps, some of whom go on as somebody new, and their embeddings."""
    random = np.random.default_rng(seed)
    pieces, embeddings = [], {}
    for track, embedding in enumerate(random_embeddings(tracks, 16, seed), start=1):
        start = random.integers(1, frames - 5)
        there = np.arange(start, random.integers(start + 1, frames + 1))
        there = there[random.random(len(there)) < 0.8]
        pieces.append(
            walk(track, there, 300.0 * (track % 6), 50.0 * (track % 5), random.normal(0, 3, 2), score=random.random())
        )
        if random.random() < 0.8:
            embeddings[track] = (
                embedding if track % 6 == track or random.random() < 0.5 else embeddings.get(track % 6, embedding)
            )
    table = tagged(np.concatenate(pieces))
    return table[random.permutation(len(table))], embeddings


@settings(max_examples=40, deadline=None)
@given(seed=SEEDS, rate=st.sampled_from([1.0, 10.0, 29.97]))
def test_result_is_in_order_whatever_the_order_before(seed, rate):
    table, embeddings = random_tracks(seed)
    given_table = table.copy()
    refined = refine(table, embeddings, rate, RefineSettings())
    np.testing.assert_array_equal(table, given_table, "the argument is somebody else's")
    np.testing.assert_array_equal(refine(table[::-1], embeddings, rate, RefineSettings()), refined)
    keys = [tuple(row) for row in refined[:, :2]]
    assert keys == sorted(set(keys))
    _, first = np.unique(refined[:, 1], return_index=True)
    assert np.unique(refined[:, 1]).tolist() == list(range(1, len(first) + 1))
    assert (np.diff(first) > 0).all(), "ids count up in the order of appearance"
    assert np.isfinite(refined).all() and (refined[:, 4:6] > 0).all()


@settings(max_examples=30, deadline=None)
@given(seed=SEEDS)
def test_all_parts_off_changes_ids_only(seed):
    table, embeddings = random_tracks(seed)
    refined = refine(table, embeddings, 10.0, OFF)
    order, before = refined[:, 6].argsort(), table[:, 6].argsort()
    np.testing.assert_array_equal(np.delete(refined[order], 1, axis=1), np.delete(table[before], 1, axis=1))
    pairs = set(zip(refined[order, 1], table[before, 1]))
    assert len(pairs) == len(np.unique(table[:, 1])) == len(np.unique(refined[:, 1]))


@settings(max_examples=30, deadline=None)
@given(seed=SEEDS)
def test_filled_tracks_need_no_second_refinement(seed):
    table, embeddings = random_tracks(seed)
    limits = dataclasses.replace(OFF, relink_seconds=2.0, fill_seconds=0.5)
    once = refine(table, embeddings, 10.0, limits)
    np.testing.assert_allclose(refine(once, {}, 10.0, limits), once, atol=1e-9)


@settings(max_examples=30, deadline=None)
@given(seed=SEEDS)
def test_smoothing_adds_no_rows(seed):
    table, embeddings = random_tracks(seed)
    plain = refine(table, embeddings, 10.0, RefineSettings(smooth_seconds=0))
    smoothed = refine(table, embeddings, 10.0, RefineSettings(smooth_seconds=0.3))
    np.testing.assert_array_equal(smoothed[:, [0, 1, 6]], plain[:, [0, 1, 6]])


@pytest.mark.parametrize("rate", [10.0, 50.0])
def test_smoothing_is_in_seconds(rate):
    table = walk(1, range(1, 101))
    table[:, 2:6] += np.random.default_rng(0).normal(0, 5, (100, 4))
    np.testing.assert_allclose(refine(table, {}, rate, RefineSettings(smooth_seconds=0.2)), smooth(table, 0.2 * rate))


def test_joined_person_is_filled_in_between():
    """Joining, filling and smoothing of somebody walking straight on give the walk without the gap."""
    others, embeddings = strangers(6, 60)
    pieces = np.concatenate([walk(1, range(1, 31)), walk(2, range(33, 61)), others])
    embedding = random_embeddings(1)[0]
    refined = refine(pieces, {1: embedding, 2: embedding, **embeddings}, 10.0, RefineSettings())
    np.testing.assert_allclose(refined[refined[:, 1] == 1], walk(1, range(1, 61)), atol=1e-6)
    assert len(np.unique(refined[:, 1])) == len(embeddings) + 1


@pytest.mark.parametrize(("rate", "filled"), [(10.0, 4), (25.0, 9), (14.0, 5)])
def test_longest_gap_filled_is_in_seconds(rate, filled):
    """0.35 s are 3.5, 8.75 and 4.9 frames."""
    for step in (filled, filled + 1):
        table = np.concatenate([walk(1, range(1, 21)), walk(1, range(20 + step, 50))])
        refined = refine(table, {}, rate, RefineSettings())
        assert len(refined) == len(table) + (filled - 1) * (step == filled)


@pytest.mark.parametrize(
    ("frames", "score", "kept"), [(2, 0.3, False), (2, 0.95, True), (3, 0.3, True), (40, 0.3, True)]
)
def test_ghosts_are_short_and_doubtful(frames, score, kept):
    """At 10 frames a second less than 0.25 s are two frames."""
    table = np.concatenate([walk(1, range(1, 101), score=0.9), walk(2, range(5, 5 + frames), left=800, score=score)])
    refined = refine(table, {}, 10.0, RefineSettings())
    assert len(np.unique(refined[:, 1])) == 1 + kept
    assert len(refine(table, {}, 10.0, RefineSettings(ghost_seconds=0.2))) == len(table), "two frames are not less"
    assert len(refine(table, {}, 10.0, RefineSettings(ghost_seconds=0))) == len(table)
    assert len(refine(table, {}, 10.0, RefineSettings(ghost_quantile=0))) == len(table)


def test_ghost_is_judged_after_joining():
    pieces = np.concatenate([walk(1, range(1, 101)), walk(2, range(103, 105), score=0.3)])
    assert len(np.unique(refine(pieces, {}, 10.0, RefineSettings())[:, 1])) == 1
    assert refine(pieces, {}, 10.0, RefineSettings())[:, 0].max() == 104


@pytest.mark.parametrize("table", [np.zeros((0, 7)), np.zeros(0), np.array([])])
def test_nobody(table):
    assert refine(table, {}, 10.0, RefineSettings()).shape == (0, 7)


def test_single_box_and_single_frame():
    np.testing.assert_array_equal(
        refine(walk(7, [5]), {7: random_embeddings(1)[0]}, 10.0, RefineSettings()), walk(1, [5])
    )
    table = np.concatenate([walk(track, [3], left=100.0 * track) for track in (9, 4, 6)])
    refined = refine(table, dict(enumerate(random_embeddings(10))), 10.0, RefineSettings())
    assert refined[:, 1].tolist() == [1, 2, 3] and refined[:, 2].tolist() == [409, 609, 909]


GOOD = walk(1, [1, 2, 3])


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (GOOD[[0, 1, 1]], "id 1 twice in frame 2"),
        (GOOD[:, :6], r"rows of 7 numbers, not an array \[3, 6\]"),
        (GOOD[0], "rows of 7 numbers"),
        (GOOD * [1, 1, 1, 1, 1, 1, math.nan], "finite"),
        (GOOD - [1, 0, 0, 0, 0, 0, 0], "frames from 1"),
        (GOOD - [0, 0.5, 0, 0, 0, 0, 0], "whole ids"),
        (GOOD * [1, 1, 1, 1, 0, 1, 1], "positive width"),
    ],
)
def test_unfit_tables_are_refused(table, message):
    with pytest.raises(OptionError, match=message):
        refine(table, {}, 10.0, RefineSettings())


def test_unfit_embeddings_and_frame_rates_are_refused():
    table = np.concatenate([GOOD, walk(2, [1])])
    with pytest.raises(OptionError, match="vectors of one length"):
        refine(table, {1: np.ones(3), 2: np.ones(4)}, 10.0, RefineSettings())
    with pytest.raises(OptionError, match="vectors of one length"):
        refine(table, {1: np.ones((3, 2))}, 10.0, RefineSettings())
    refine(table, {1: np.ones(3), 77: np.ones(4)}, 10.0, RefineSettings())  # 77 is nobody
    for rate in (0, -1, math.nan, math.inf, None):
        with pytest.raises(OptionError, match="frame_rate"):
            refine(table, {}, rate, RefineSettings())


@pytest.mark.parametrize("name", [field.name for field in dataclasses.fields(RefineSettings)])
def test_settings_out_of_range_are_refused_by_name(name):
    low, high = RefineSettings.__dataclass_fields__[name].metadata["range"]
    RefineSettings(**{name: low}), RefineSettings(**{name: min(high, 100)})
    for value in (low - 0.01, high * 1.01, math.nan, "1", None, True):
        with pytest.raises(OptionError, match=f"refine_{name} must be"):
            RefineSettings(**{name: value})


def tracks_of(ids, embeddings):
    return Tracks(np.array(ids, np.int64), np.ones((len(ids), 4)), np.ones(len(ids)), embeddings)


def test_appearance_log_keeps_the_mean_direction():
    first, second = random_embeddings(2)
    given_rows = np.stack([first, second])
    log = AppearanceLog()
    log.add(tracks_of([5, 7], given_rows))
    log.add(tracks_of([], np.zeros((0, 32), np.float32)))
    log.add(tracks_of([5], second[None]))
    log.add(tracks_of([9], None))
    found = log.embeddings()
    assert sorted(found) == [5, 7] and all(vector.dtype == np.float32 for vector in found.values())
    mean = first + second
    np.testing.assert_allclose(found[5], mean / np.linalg.norm(mean), atol=1e-6)
    np.testing.assert_allclose(found[7], second, atol=1e-6)
    np.testing.assert_array_equal(given_rows, [first, second], "the tracker's own arrays")
    log.add(tracks_of([7], -second[None]))
    assert sorted(log.embeddings()) == [5], "a mean of zero says nothing"


def test_appearance_log_without_appearance():
    log = AppearanceLog()
    log.add(tracks_of([1, 2], np.zeros((2, 0), np.float32)))
    log.add(tracks_of([1], None))
    assert log.embeddings() == {}


def write_text(path, table):
    text = MotWriter(path)
    for frame in range(1, int(table[:, 0].max()) + 1):
        rows = table[table[:, 0] == frame]
        text.write(frame, Tracks(rows[:, 1].astype(int), rows[:, 2:6], rows[:, 6]))
    text.close()
    return path


def test_recorded_sequence_gets_better(tmp_path):
    """PETS09-S2L1 after JDE's association: IDF1 0.68 -> 0.89, HOTA 0.55 -> 0.66, MOTA 0.81 -> 0.84."""
    file, truth = SHARED / "detections" / "PETS09-S2L1.npz", SHARED / "pets09_s2l1" / "gt.txt"
    if not (file.exists() and truth.exists()):
        pytest.skip(f"{file} or {truth} is not here")
    with np.load(file) as data:
        rows, embeddings = data["detections"], data["embeddings"].astype(np.float32)
    rows[:, 3:5] += rows[:, 1:3]
    tracker, log, found = JDETracker(TrackerConfig(conf_thres=0.6), 10.0), AppearanceLog(), []
    for frame in range(1, 796):
        mine = rows[:, 0] == frame
        tracks = tracker.update(Detections(rows[mine, 1:5], rows[mine, 5], embeddings[mine]))
        log.add(tracks)
        found.append(np.column_stack([np.full(len(tracks), frame), tracks.ids, tracks.boxes, tracks.scores]))
    table = np.concatenate(found)
    before = evaluate(truth, write_text(tmp_path / "before.txt", table))
    after = evaluate(truth, write_text(tmp_path / "after.txt", refine(table, log.embeddings(), 10.0, RefineSettings())))
    assert after["IDF1"] > before["IDF1"] + 0.15
    assert after["HOTA"] > before["HOTA"] + 0.08
    assert after["MOTA"] > before["MOTA"] + 0.02
    assert after["IDs"] < before["IDs"] / 1.5


def late_after(frame, periods):
    """Times of frames with a pause behind one of them."""
    return lambda numbers: numbers + periods * (numbers > frame)


def test_a_pause_is_no_gap_to_fill_and_no_way_to_walk():
    limits = dataclasses.replace(OFF, fill_seconds=1.0, relink_seconds=2.0, motion_seconds=2.0)
    table = tagged(np.concatenate([walk(1, range(1, 31)), walk(1, range(34, 61)), walk(2, range(62, 90))]))
    steady = refine(table, {}, 10.0, limits)
    assert len(steady) > len(table), "a gap of three frames is filled"
    np.testing.assert_array_equal(refine(table, {}, 10.0, limits, times=late_after(0, 0)), steady)
    paused = refine(table, {}, 10.0, limits, times=late_after(31, 600))
    assert not np.isin([31, 32, 33], paused[:, 0]).any(), "over a minute nothing is known"
    apart = refine(table, {}, 10.0, limits, times=late_after(60, 600))
    assert len(np.unique(apart[:, 1])) == 2, "nobody is the same by motion alone after a minute"


def test_boxes_in_a_gap_lie_where_the_time_puts_them():
    limits = dataclasses.replace(OFF, fill_seconds=2.0)
    table = tagged(np.concatenate([walk(1, range(1, 11), velocity=(10.0, 0.0)), walk(1, [14], velocity=(10.0, 0.0))]))
    even, late = refine(table, {}, 10.0, limits), refine(table, {}, 10.0, limits, times=late_after(11, 4))
    lefts = [result[np.isin(result[:, 0], [10, 11, 12, 13, 14]), 2] for result in (even, late)]
    share = (lefts[1] - lefts[1][0]) / (lefts[1][-1] - lefts[1][0])
    np.testing.assert_allclose(np.diff(lefts[0]), 10)
    np.testing.assert_allclose(share, [0, 1 / 8, 6 / 8, 7 / 8, 1])


def test_who_was_recognised_has_one_number_from_the_first_line_on(tmp_path):
    """The text keeps the lines with the number that somebody had at first; the refined one does not."""
    path, log = tmp_path / "a.txt", AppearanceLog()
    with contextlib.closing(MotWriter(path)) as text:
        for frame in range(1, 121):
            number = 1 if frame <= 40 or frame > 90 else 2
            if 40 < frame <= 85:
                continue
            recognised = (Recognised(1, 2, 0.9),) if frame == 91 else ()
            box = np.array([[10.0 + frame, 20, 30, 60]])
            tracks = Tracks(np.array([number]), box, np.array([0.9]), np.ones((1, 1), np.float32), None, recognised)
            log.add(tracks)
            text.write(frame, tracks)
    refine_file(path, path, log, 10.0, RefineSettings())
    assert set(read_table(path)[:, 1]) == {1}
    assert set(log.embeddings()) == {1}
