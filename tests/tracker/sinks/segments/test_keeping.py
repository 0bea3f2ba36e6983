"""Old segments go, and nothing else does."""

import json
import os

import pytest

from tests.tracker.sinks.test_claim import leave_part
from tracker.settings.groups.segments import Keep
from tracker.sinks.claim import RunFiles
from tracker.sinks.segments.keeping import Keeper, finish_killed

NOW = 1_800_000_000.0
HOUR = 3600.0


def leave_segment(folder, name, of="cam", age=0.0, size=1000):
    """What a finished segment looks like."""
    for part in ("mot_results", "mot_outputs", f"answers/{name}/people"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    about = {"size": [64, 48], "frame_rate": 10, "skip_frames": 1, "segment": {"of": of, "first_frame": 1}}
    paths = [
        folder / "mot_results" / f"{name}.txt",
        folder / "mot_results" / f"{name}_times.csv",
        folder / "mot_results" / f"{name}_people.npz",
        folder / "mot_outputs" / f"{name}_vis.mp4",
        folder / "answers" / name / "counts.csv",
        folder / "answers" / name / "people" / "1.jpg",
        folder / "mot_results" / f"{name}_run.json",
    ]
    for path in paths[:-1]:
        path.write_bytes(b"x" * (size // 5))
    paths[-1].write_text(json.dumps(about if of else {**about, "segment": None}))
    for path in paths:
        os.utime(path, (NOW - age, NOW - age))
    return name


def stamps(folder):
    return sorted(path.name.removesuffix(".txt") for path in (folder / "mot_results").glob("*.txt"))


def keeper(folder, **keep):
    return Keeper(folder, "cam", Keep(**keep), clock=lambda: NOW)


def everything(folder):
    return {path.relative_to(folder).as_posix(): path.lstat().st_mtime for path in folder.rglob("*")}


def test_by_age(tmp_path):
    names = [leave_segment(tmp_path, f"cam_20261127T{hour:02}0000", age=(12 - hour) * HOUR) for hour in range(8, 12)]
    assert keeper(tmp_path, seconds=2.5 * HOUR).prune() == names[:2]
    assert stamps(tmp_path) == names[2:]
    assert not any("T08" in path.name or "T09" in path.name for path in tmp_path.rglob("*"))


def test_by_size(tmp_path):
    names = [leave_segment(tmp_path, f"cam_20261127T{hour:02}0000", age=(12 - hour) * HOUR) for hour in range(8, 12)]
    assert keeper(tmp_path, size=2.5 * 1200).prune() == names[:2]


def test_the_newest_stays_however_old_or_large(tmp_path):
    names = [leave_segment(tmp_path, f"cam_2026112{day}T000000", age=90 * 24 * HOUR - day) for day in range(3)]
    assert keeper(tmp_path, seconds=1, size=1).prune() == names[:2]
    assert keeper(tmp_path, seconds=1).remove_oldest() is None
    assert stamps(tmp_path) == names[2:]


def test_without_keep_all_stay(tmp_path):
    leave_segment(tmp_path, "cam_20261127T000000", age=1e9)
    leave_segment(tmp_path, "cam_20261127T010000", age=1e8)
    assert keeper(tmp_path).prune() == [] and keeper(tmp_path).remove_oldest() is None


def test_hostile_neighbours_stay(tmp_path, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "precious").write_text("x")
    old = {"age": 1e8}
    leave_segment(tmp_path, "cam_2_20261127T000000", of="cam_2", **old)
    leave_segment(tmp_path, "cam2_20261127T000000", of="cam2", **old)
    leave_segment(tmp_path, "other_cam_20261127T000000", of="other_cam", **old)
    # a camera, a file, that is called as a segment would be; and its segments
    leave_segment(tmp_path, "cam_20261127T010000", of=None, **old)
    leave_segment(tmp_path, "cam_20261127T010000_20261127T020000", of="cam_20261127T010000", **old)
    leave_segment(tmp_path, "cam", of="cam", **old)
    leave_segment(tmp_path, "cam_notes", of="cam", **old)
    leave_segment(tmp_path, "CAM_20261127T000000", of="CAM", **old)
    # files of a segment that are links, which no run makes
    for number, victim in enumerate(["answers/{}", "mot_outputs/{}_vis.mp4", "mot_results/{}.txt"]):
        name = leave_segment(tmp_path, f"cam_20261126T00000{number}", **old)
        path = tmp_path / victim.format(name)
        if path.is_dir():
            path.rename(tmp_path / f"moved{number}")
            path.symlink_to(elsewhere)
        else:
            path.unlink()
            path.symlink_to(elsewhere / "precious")
    (tmp_path / "mot_results" / "cam_20261125T000000_run.json").symlink_to(elsewhere / "precious")
    (tmp_path / "mot_results" / "cam_20261124T000000_run.json").write_text("[]")
    (tmp_path / "mot_results" / "cam_20261124T000000.txt").write_text("no segment by its own words")
    before = everything(tmp_path)
    leave_segment(tmp_path, "cam_20261127T100000", age=10)
    leave_segment(tmp_path, "cam_20261127T110000", age=0)
    assert keeper(tmp_path, seconds=1, size=1).prune() == ["cam_20261127T100000"]
    files = [path for path in before if (tmp_path / path).is_file()]
    assert {path: everything(tmp_path)[path] for path in files} == {path: before[path] for path in files}
    assert everything(tmp_path).keys() >= before.keys() and (elsewhere / "precious").read_text() == "x"


def test_a_link_within_the_answers_is_not_followed(tmp_path, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "precious").write_text("x")
    name = leave_segment(tmp_path, "cam_20261127T000000", age=1e8)
    leave_segment(tmp_path, "cam_20261127T010000")
    (tmp_path / "answers" / name / "more").symlink_to(elsewhere)
    assert keeper(tmp_path, seconds=1).prune() == [name]
    assert (elsewhere / "precious").read_text() == "x"


def test_what_is_being_written_stays(tmp_path):
    names = [leave_segment(tmp_path, f"cam_2026112{day}T000000", age=1e8 - day) for day in range(3)]
    run = RunFiles(tmp_path, video=True)
    run.claim(names[0], (64, 48))
    assert keeper(tmp_path, seconds=1).prune(spared=[names[1]]) == []
    assert keeper(tmp_path, seconds=1).remove_oldest() == names[1]
    run.release()
    assert keeper(tmp_path, seconds=1).prune() == [names[0]]


@pytest.mark.parametrize("pictures", [0, 5])
def test_the_video_of_a_killed_run_gets_its_name(tmp_path, caplog, pictures):
    name = leave_segment(tmp_path, "cam_20261127T000000")
    (tmp_path / "mot_outputs" / f"{name}_vis.mp4").unlink()
    leave_part(tmp_path, name, pictures)
    leave_part(tmp_path, "cam", pictures)  # which the next run of that name looks after
    leave_part(tmp_path, "other_20261127T000000", pictures)
    finished = finish_killed(tmp_path, "cam")
    assert finished == ([tmp_path / "mot_outputs" / f"{name}_vis.mp4"] if pictures else [])
    left = sorted(path.name for path in (tmp_path / "mot_outputs").iterdir())
    assert left == [".cam_vis.part.mp4", ".other_20261127T000000_vis.part.mp4", *(path.name for path in finished)]
    assert ("an earlier run of cam was killed" in caplog.text) == bool(pictures)
    assert finish_killed(tmp_path, "cam") == []
