"""Videos and results that fsspec reaches: in memory, and on this machine by an address."""

import fsspec
import pytest

from tests.attacks.runs import make_clip
from tests.tracker.library.batch import stub
from tracker import track_batch
from tracker.errors import OptionError
from tracker.library.batch import children
from tracker.library.batch.clips import find_clips
from tracker.library.batch.records import Row, earlier_row, identity_of
from tracker.library.batch.work import Task
from tracker.library.places import open_place

SCENE = {"zones": {"till": {"points": [[0, 0], [1, 0], [1, 1], [0, 1]]}}}


@pytest.fixture
def memory(tmp_path):
    """The file system in memory, with two videos and another file."""
    files = fsspec.filesystem("memory")
    files.store.clear()
    clip = make_clip(tmp_path / "street.mp4", 1)
    for name in ("street.mp4", "deep/street.mp4"):
        files.pipe_file(f"/videos/{name}", clip.read_bytes())
    files.pipe_file("/videos/notes.txt", b"no video")
    yield files
    files.store.clear()


def task_of(source, folder, **options):
    (clip,) = find_clips(source)
    return Task(Row(clip.name, clip.shown), clip.source, folder, options, {"asked": "this"})


def test_addresses_stand_for_files_folders_and_globs(memory):
    assert [clip.source for clip in find_clips("memory://videos")] == ["memory:///videos/street.mp4"]
    clips = find_clips("memory://videos/**/*.mp4")
    assert [(clip.source, clip.name) for clip in clips] == [
        ("memory:///videos/deep/street.mp4", "deep_street"),
        ("memory:///videos/street.mp4", "videos_street"),
    ]
    (none,) = find_clips("memory://videos/*.avi")
    assert none.error == "memory://videos/*.avi matches no video"
    with pytest.raises(OptionError, match="nowhere"):
        find_clips("nowhere://videos")


def test_a_video_in_memory_is_tracked_to_memory(memory, tmp_path):
    worker = stub.StubWorker({})
    task = task_of("memory://videos", "memory://results", scene=SCENE)
    memory.pipe_file("/results/answers/street/older.csv", b"of an earlier run")
    row = worker.do(task)
    assert (row.state, row.error, row.frames, row.people) == ("tracked", "", 10, 4)
    here = worker.do(task_of(str(tmp_path / "street.mp4"), str(tmp_path / "out"), scene=SCENE))
    assert {name.rpartition("/results")[2] for name in row.files.values()} == {
        name.rpartition("/out")[2] for name in here.files.values()
    }
    found = {name.removeprefix("/results/") for name in memory.find("/results")}
    made = {path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*") if path.is_file()}
    assert found == made
    for name in found - {"mot_results/street_run.json", "answers/street/report.html"}:
        assert memory.cat_file(f"/results/{name}") == (tmp_path / "out" / name).read_bytes(), name


def test_what_is_done_is_known_by_its_record(memory):
    task, place = task_of("memory://videos", "memory://results", visualization=False), open_place("memory://results")
    done = stub.StubWorker({}).do(task)
    again = earlier_row(task.row, place, task.asked, identity_of(task.source))
    assert again.state == "unchanged" and (again.frames, again.files) == (done.frames, done.files)
    assert earlier_row(task.row, place, {"asked": "something else"}, identity_of(task.source)) is None
    memory.pipe_file("/videos/street.mp4", b"another video")
    assert earlier_row(task.row, place, task.asked, identity_of(task.source)) is None
    assert "is it a video?" in stub.StubWorker({}).do(task).error


def test_a_batch_takes_addresses(tmp_path, monkeypatch):
    monkeypatch.setattr(children, "PROGRAM", stub.PROGRAM)
    monkeypatch.setenv("STUB_SECONDS", "0")
    (tmp_path / "videos").mkdir()
    make_clip(tmp_path / "videos" / "street.mp4", 1)
    address = f"file://{tmp_path}"
    options = {"model": "compact", "visualization": False, "resume": True}
    first = track_batch(f"{address}/videos", f"{address}/out", **options)
    assert [row.state for row in first.rows] == ["tracked"] and first.path == f"{address}/out/batch.jsonl"
    assert (tmp_path / "out" / "mot_results" / "street.txt").stat().st_size
    assert [row.state for row in track_batch(f"{address}/videos", f"{address}/out", **options).rows] == ["unchanged"]
    with pytest.raises(OptionError, match="output_dir must be a path or an address for fsspec, not http://host/out"):
        track_batch(f"{address}/videos", "http://host/out", **options)
