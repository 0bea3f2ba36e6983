"""The comparison of crossings: the plain loop, and which accounts of a crossing are one."""

import numpy as np

from tests.tracker.analysis.walks import SIZE, crowd, straight, walk
from tools.answers.certainty import Tallies
from tools.answers.eval_crossings import Passage, counted_passages, main, matched, plain_passages, random_lines
from tools.answers.kinds import make_walks

LINE = np.array([[[500.0, 200.0], [500.0, 600.0]]])


def mot(rows):
    """Rows [N, 10] of a MOT text from observations."""
    return np.hstack([rows[:, 1:8], np.full((len(rows), 3), -1.0)])


def test_the_plain_loop_and_the_tracker_agree_where_nothing_jitters():
    rows = mot(walk(1, straight((300, 300), (700, 500), 8)))
    (plain,), (counted,) = plain_passages(rows, LINE, 25), counted_passages(rows, LINE, SIZE, 25)
    assert (plain.line, plain.direction) == (counted.line, counted.direction) == (0, -1)
    assert matched([counted], [plain]).tolist() == [0] and counted.certainty > 0.9
    assert plain_passages(mot(walk(1, straight((300, 650), (700, 650), 8))), LINE, 25) == []


def test_an_account_counts_once_and_only_near_by():
    one = Passage(0, 1, 5.0, 100, 100, 50)
    assert len(matched([one, one], [one])) == len(matched([one], [one, one])) == 1
    for other in (one._replace(line=1), one._replace(direction=-1), one._replace(seconds=7), one._replace(x=160)):
        assert not len(matched([other], [one]))
        assert matched([other, one], [one]).tolist() == [1]
    assert not len(matched([], [one])) and not len(matched([one], []))


def test_lines_are_within_the_picture_and_the_same_each_time():
    feet = np.random.default_rng(0).uniform(0, SIZE, (100, 2))
    lines = random_lines(20, SIZE, feet, 3)
    assert lines.shape == (20, 2, 2) and (lines >= 0).all() and (lines <= SIZE).all()
    assert np.array_equal(lines, random_lines(20, SIZE, feet, 3))


def test_the_tool_prints_precision_and_recall(tmp_path, capsys):
    rows = mot(crowd(1, frames=200))
    rows[:, 6:] = 1
    np.savetxt(tmp_path / "gt.txt", rows[:, :7], delimiter=",", fmt="%g")
    words = ["--gt", tmp_path / "gt.txt", "--text", tmp_path / "gt.txt", "--size", *SIZE, "--frame_rate", 25]
    assert main([str(word) for word in [*words, "--certainty"]]) == 0
    printed = capsys.readouterr().out
    assert "precision" in printed and " real" in printed and "in the range" in printed
    assert main([str(word) for word in [*words, "--lines", 0]]) == 1
    assert main([str(word) for word in words[:-2]]) == 1 and "--frame_rate is missing" in capsys.readouterr().err


def test_no_walk_of_any_kind_is_counted_wrong(capsys):
    assert main(["--kinds", "8"]) == 0
    _, *kinds = capsys.readouterr().out.splitlines()
    assert len(kinds) == 7 and all(line.endswith(": tracker 0 + 0") for line in kinds), kinds
    walks = make_walks(8)
    for kind in ("near the border", "fast", "back and forth"):
        for one in walks[kind]:  # what a kind states is what a plain loop finds
            plain = [passage.direction for passage in plain_passages(one.rows, one.line[None], 25)]
            assert sorted(plain) == [-1] * one.outs + [1] * one.ins


def test_certainties_and_ranges_are_compared_with_what_was_real():
    tallies = Tallies()
    tallies.add([0.6, 0.99, 0.96, 1.0], np.array([1, 3]), [(3, 2, 4), (0, 0, 0), (5, 2, 4)])
    doubtful, sure, ranges = tallies.told()
    assert doubtful.startswith("certainty 0.5 to 0.7, on average 0.60: 1 crossings, 0.00")
    assert sure.startswith("certainty 0.95 to 1, on average 0.98: 3 crossings, 0.67")
    assert ranges == "2 counts, 0.50 of the true ones in the range"
