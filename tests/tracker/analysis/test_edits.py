"""Corrections of identities: what each does, what is refused, and that an inverse gives the first bytes back."""

import csv
import json

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from tracker.analysis.edits import load_edits
from tracker.errors import OptionError
from tracker.pipeline.analyse import analyse

SCENE = {
    "size": [320, 240],
    "lines": {"door": {"points": [[160, 0], [160, 240]]}},
    "zones": {"till": {"points": [[160, 0], [320, 0], [320, 240], [160, 240]]}},
}
FRAMES = 80


def rows():
    """3 walks in and is 9 from frame 41 on; 4 and 7 walk past each other; 12 is a poster."""
    made = []
    for frame in range(1, FRAMES + 1):
        made.append((frame, 3 if frame <= 40 else 9, 20 + 3 * frame, 60, 30, 90, 0.9))
        made.append((frame, 4, 10 + 3.5 * frame, 120, 30, 100, 0.8))
        made.append((frame, 7, 290 - 3.5 * frame, 110, 30, 100, 0.8))
        made.append((frame, 12, 280, 20, 30, 60, 0.6))
    return np.array(made)


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    path = tmp_path_factory.mktemp("edits") / "hall.txt"
    path.write_text("".join("{:.0f},{:.0f},{:.2f},{:.2f},{:.2f},{:.2f},{:.4f}\n".format(*row) for row in rows()))
    return path


@pytest.fixture(scope="module")
def answered(text, tmp_path_factory):
    """A function that returns the files of an analysis with edits, by name."""

    def analysed(edits=None):
        folder = tmp_path_factory.mktemp("answers")
        made = analyse(text, SCENE, output_dir=folder, frame_rate=10, edits=edits).folder
        return {path.name: path.read_bytes() for path in made.iterdir()}

    return analysed


@pytest.fixture(scope="module")
def plain(answered):
    return answered()


def table(files, name):
    return list(csv.DictReader(files[name].decode().splitlines()))


@pytest.mark.parametrize(
    "edits",
    [
        {"merge": [[3, 9]], "split": [{"id": 3, "frame": 41, "to": 9}]},
        {"split": [{"id": 4, "frame": 31, "to": 50}], "merge": [[4, 50]]},
        {"split": [{"id": 4, "frame": 31}], "merge": [[4, 13]]},
        {"swap": [{"ids": [4, 7], "from": 38}, {"ids": [7, 4], "from": 38}]},
        {},
        {"drop": []},
    ],
)
def test_an_edit_and_its_inverse_give_the_first_bytes_back(answered, plain, edits):
    assert answered(edits) == plain


def test_each_edit_alone_changes_the_answers(answered, plain):
    for edits in (
        {"merge": [[3, 9]]},
        {"split": [{"id": 4, "frame": 31}]},
        {"swap": [{"ids": [4, 7], "from": 38}]},
        {"drop": [12]},
        {"name": {7: "guard"}},
    ):
        assert answered(edits)["people.csv"] != plain["people.csv"], edits


def test_merged_people_are_one_and_cross_the_line_once(answered, plain):
    """Whoever got a new number before the line is counted under the old one."""
    files = answered({"merge": [[3, 9]]})
    assert {row["id"] for row in table(files, "people.csv")} == {"3", "4", "7", "12"}
    ids = [row["id"] for row in table(files, "crossings.csv")]
    assert sorted(ids) == ["3", "4", "7"] and len(table(plain, "crossings.csv")) == 2, "the number changed at the line"


def test_swapped_people_are_told_with_the_other_number_from_then_on(answered, plain):
    files = answered({"swap": [{"ids": [4, 7], "from": 2}]})

    def walks(found):
        return {row["id"]: row["direction"] for row in table(found, "crossings.csv")}

    assert walks(files)["4"] == walks(plain)["7"] != walks(plain)["4"] == walks(files)["7"]


def test_the_dropped_are_nowhere_and_the_named_have_their_names(answered):
    files = answered({"drop": [12], "name": {7: "guard", 9: "Ann, staff"}})
    people = {row["id"]: row["name"] for row in table(files, "people.csv")}
    assert people == {"3": "", "9": "Ann, staff", "4": "", "7": "guard"}
    assert {row["name"] for row in table(files, "crossings.csv")} >= {"guard"}
    assert "name" in table(files, "visits.csv")[0] and "name" not in table(files, "counts.csv")[0]
    assert b'"name": "guard"' in files["events.jsonl"]
    assert not any(row["id"] == "12" for name in ("people.csv", "visits.csv") for row in table(files, name))


def test_staff_are_told_of_and_counted_nowhere(text, tmp_path, answered, plain):
    files, without = answered({"staff": [7, 12]}), answered({"drop": [7, 12]})
    for name in ("crossings.csv", "counts.csv", "ranges.csv", "visits.csv", "zones.csv", "heat.npy", "heat_people.npy"):
        assert files[name] == without[name] != plain[name], name
    assert files["people.csv"] == plain["people.csv"]
    summary = json.loads(files["summary.json"])
    assert summary["staff"] == [7, 12] and summary["people"] == json.loads(plain["summary.json"])["people"] - 2
    private = analyse(text, SCENE, output_dir=tmp_path, frame_rate=1, edits={"staff": [7, 12]}, private=True)
    told = analyse(text, SCENE, output_dir=tmp_path / "all", frame_rate=1, private=True)
    assert told.people_seen == 5 and private.people_seen == 3


def test_a_file_is_read_in_its_order(text, tmp_path, answered, plain):
    file = tmp_path / "edits.yml"
    file.write_text("swap: [{ids: [3, 9], from: 1}]\ndrop: [3]\nname: {9: first}\n")
    files = answered(file)
    people = {row["id"]: row for row in table(files, "people.csv")}
    assert people["9"]["name"] == "first" and people["9"]["first_seen"] == "0.000" and "3" not in people
    assert yaml.safe_load(file.read_text())["drop"] == [3]


def test_of_two_boxes_of_one_person_the_surer_one_stays():
    edits = load_edits({"merge": [[1, 2]]})
    table = np.array([[1, 1, 0, 0, 9, 9, 0.5], [1, 2, 5, 5, 9, 9, 0.8], [2, 2, 7, 7, 9, 9, 0.1]])
    merged = edits.resolved([table]).apply(table)
    assert merged[:, [0, 1, 2]].tolist() == [[1, 1, 5], [2, 1, 7]]


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_edits_do_the_same_however_the_text_is_cut(data):
    table = rows()
    frame = data.draw(st.integers(1, FRAMES))
    edits = load_edits(
        {
            "swap": [{"ids": data.draw(st.sampled_from([[3, 4], [4, 7], [9, 12]])), "from": frame}],
            "split": [{"id": 7, "frame": frame}],
            "merge": [data.draw(st.permutations([3, 4, 9]))],
            "drop": [12],
        }
    ).resolved([table])
    cut = data.draw(st.integers(1, FRAMES - 1)) * 4
    parts = [edits.apply(table[:cut]), edits.apply(table[cut:])]
    assert np.array_equal(np.concatenate(parts), edits.apply(table))
    assert len({*map(tuple, edits.apply(table)[:, :2])}) == len(edits.apply(table))


@pytest.mark.parametrize(
    ("edits", "message"),
    [
        ({"join": [[3, 9]]}, "unknown key 'join'; known are merge, split, swap, drop, name, staff"),
        ({"merge": [3, 9]}, "merge needs two or more identities, not 3"),
        ({"merge": [[3, 3]]}, "merge needs different identities"),
        ({"merge": {"3": 9}}, "merge must be a list"),
        ({"merge": [[3, 99]]}, "merge: there is no 99"),
        ({"merge": [[3, 9]], "drop": [9]}, "drop: there is no 9 in the text, or not any more"),
        ({"split": [{"id": 4}]}, "split needs frame, id of each entry"),
        ({"split": [{"id": 4, "frame": 0}]}, "split: frame must be a whole number"),
        ({"split": [{"id": 4, "frame": 31, "to": 7}]}, "to: 7 is somebody already"),
        ({"swap": [{"ids": [4], "from": 3}]}, "swap needs two identities"),
        ({"swap": [{"ids": [4, 7], "frame": 3}]}, "swap needs from, ids of each entry"),
        ({"drop": ["x"]}, "drop: an identity must be a whole number"),
        ({"name": {7: ""}}, "name: 7 must be one line"),
        ({"name": {8: "guard"}}, "name: there is no 8"),
        ({"staff": 7}, "staff must be a list"),
        ({"staff": [8]}, "staff: there is no 8"),
        ({"name": ["guard"]}, "name must be a mapping"),
        ([3], "edits must be a file or a mapping"),
    ],
)
def test_mistakes_are_named(answered, edits, message):
    with pytest.raises(OptionError, match=message):
        answered(edits)
