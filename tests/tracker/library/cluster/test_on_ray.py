"""A batch on Ray: a cluster of this machine, started and ended by the test, on the loopback alone."""

import importlib.util

import pytest

from tests.attacks.runs import make_clip
from tests.tracker.library.batch.test_batch import states
from tracker import track_batch
from tracker.errors import OptionError
from tracker.library.batch import children
from tracker.library.cluster import on_ray

needs_ray = pytest.mark.skipif(
    importlib.util.find_spec("ray") is None, reason="ray is not installed: pip install -r requirements-ray.txt"
)


@pytest.fixture(autouse=True)
def walkers(monkeypatch):
    monkeypatch.setattr(on_ray, "WORKER", "tests.tracker.library.batch.stub:StubWorker")
    monkeypatch.setattr(children, "PROGRAM", ("-m", "tests.tracker.library.batch.stub", "child"))
    monkeypatch.setenv("STUB_SECONDS", "0.005")


def test_without_ray_it_is_told(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "ray", None)
    make_clip(tmp_path / "street.mp4", 0.5)
    with pytest.raises(OptionError, match=r"ray is not installed: pip install -r requirements-ray\.txt"):
        track_batch(tmp_path, tmp_path / "out", model="compact", ray="local")
    assert not (tmp_path / "out" / "batch.jsonl").exists()


@needs_ray
@pytest.mark.slow
def test_workers_share_the_videos_and_one_that_dies_is_replaced(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "videos").mkdir()
    for name in ("mortal", *(f"street{number}" for number in range(5))):
        make_clip(tmp_path / "videos" / f"{name}.mp4", 3)
    (tmp_path / "videos" / "bad.mp4").write_text("no video")
    options = {"model": "compact", "visualization": False, "jobs": 3}
    result = track_batch("videos", "ray/out", ray="local", **options)
    assert states(result) == {
        "bad": "failed",
        "mortal": "tracked",
        **{f"street{number}": "tracked" for number in range(5)},
    }
    assert (tmp_path / "ray" / "mortal.died").exists(), "nobody was killed"
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "mortal.died").touch()
    here = track_batch(tmp_path / "videos", tmp_path / "here" / "out", **options)
    for row in here.rows:
        if row.state == "tracked":
            name = f"mot_results/{row.name}.txt"
            assert (tmp_path / "ray" / "out" / name).read_bytes() == (tmp_path / "here" / "out" / name).read_bytes()
    again = track_batch(tmp_path / "videos", tmp_path / "ray" / "out", ray="local", resume=True, **options)
    assert {row.state for row in again.rows} == {"unchanged", "failed"}
    assert not (tmp_path / "ray" / "out" / ".batch").exists()


@needs_ray
@pytest.mark.slow
def test_a_request_to_stop_ends_the_workers(tmp_path, monkeypatch):
    monkeypatch.setenv("STUB_SECONDS", "0.2")
    from tracker.library.batch.clips import find_clips
    from tracker.library.batch.records import Row
    from tracker.library.batch.work import Task

    make_clip(tmp_path / "street.mp4", 30)
    clips = find_clips(tmp_path)
    options = {"visualization": False}
    tasks = [Task(Row(clip.name, clip.shown), clip.source, str(tmp_path / "out"), options) for clip in clips]
    text = tmp_path / "out" / ".batch" / "street" / "mot_results" / "street.txt"
    rows = on_ray.track_on_ray(tasks, "local", 1, 1, {}, lambda: text.exists() and text.stat().st_size > 0)
    assert list(rows) == [], "it was tracked to its end"
    assert not text.exists(), "what is not finished is left"


@needs_ray
@pytest.mark.slow
def test_a_cluster_that_is_not_there_is_told(tmp_path):
    make_clip(tmp_path / "street.mp4", 0.5)
    with pytest.raises(OptionError, match=r"ray 'auto': .*give the address of a cluster, auto, or local"):
        track_batch(tmp_path, tmp_path / "out", model="compact", ray="auto")
