"""The claim of a run on its files: never the same as another's, and nothing older is lost."""

import gc
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers.videos import plain_image
from tracker.errors import OutputError
from tracker.sinks.claim import RunFiles
from tracker.sinks.files import fitting_name, is_at
from tracker.sinks.video import VideoWriter

SIZE = (64, 48)
LINE = "1,1,0.00,0.00,1.00,1.00,0.5000,-1,-1,-1\n"


def files(folder):
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def leave_part(folder, name="live", pictures=5):
    """What the video of a run that was killed looks like."""
    (folder / "mot_outputs").mkdir(exist_ok=True)
    part = folder / "mot_outputs" / f".{name}_vis.part.mp4"
    if pictures:
        with VideoWriter(folder / "mot_outputs" / f"{name}_vis.mp4", 10) as video:
            for index in range(pictures):
                video.write(plain_image(), index / 10)
            content = part.read_bytes()
        (folder / "mot_outputs" / f"{name}_vis.mp4").unlink()
    part.write_bytes(content if pictures else b"")


def leave_text(folder, name="live"):
    (folder / "mot_results").mkdir(exist_ok=True)
    (folder / "mot_results" / f"{name}.txt").write_text(LINE)


def test_one_after_the_other_has_the_same_name_and_an_older_text(tmp_path, caplog):
    leave_text(tmp_path)
    for _ in range(2):
        run = RunFiles(tmp_path, video=False)
        assert run.claim("live", SIZE) == "live"
        run.release()
        run.release()
    assert (tmp_path / "mot_results" / "live.txt").read_text() == LINE and caplog.text == ""


@pytest.mark.parametrize("video", [True, False])
def test_at_once_each_has_a_name_of_its_own(tmp_path, caplog, video):
    runs = [RunFiles(tmp_path, video) for _ in range(4)]
    leave_text(tmp_path, "live_3")
    assert [run.claim("live", SIZE) for run in runs] == ["live", "live_2", "live_4", "live_5"]
    assert [record.getMessage() for record in caplog.records] == [
        f"{tmp_path}/mot_results/live.txt is being written by another run: this one is called live_{n}"
        for n in (2, 4, 5)
    ]
    runs[0].release()
    assert RunFiles(tmp_path, video=False).claim("live", SIZE) == "live" or video
    assert (tmp_path / "mot_results" / "live_3.txt").read_text() == LINE


def test_neither_a_run_that_was_dropped_nor_a_forked_process_keeps_the_name(tmp_path):
    RunFiles(tmp_path, video=True).claim("live", SIZE)
    gc.collect()
    run = RunFiles(tmp_path, video=False)
    assert run.claim("live", SIZE) == "live"
    reader, writer = os.pipe()
    if not (child := os.fork()):
        os.read(reader, 1)
        os._exit(0)
    run.release()
    assert RunFiles(tmp_path, video=False).claim("live", SIZE) == "live"
    os.write(writer, b"x")
    os.waitpid(child, 0)
    os.close(reader)
    os.close(writer)


def test_a_text_that_was_removed_meanwhile_does_not_free_the_video(tmp_path):
    first, second = RunFiles(tmp_path, video=True), RunFiles(tmp_path, video=True)
    first.claim("live", SIZE)
    (tmp_path / "mot_results" / "live.txt").unlink()
    assert second.claim("live", SIZE) == "live_2"
    assert files(tmp_path) == [".live_2_vis.part.mp4", ".live_vis.part.mp4", "live_2.txt"]


@pytest.mark.parametrize("video", [True, False])
def test_what_a_killed_run_left_is_kept(tmp_path, caplog, video):
    for suffix in ("_interrupted", "_interrupted_2"):
        leave_part(tmp_path)
        leave_text(tmp_path)
        (tmp_path / "mot_outputs" / ".live_vis.final.mp4").touch()
        run = RunFiles(tmp_path, video)
        assert run.claim("live", SIZE) == "live"
        text, kept = tmp_path / "mot_results" / f"live{suffix}.txt", tmp_path / "mot_outputs" / f"live{suffix}_vis.mp4"
        assert text.read_text() == LINE and kept.stat().st_size > 500
        assert caplog.messages == [f"an earlier run of live was killed; what it made is kept: {text} and {kept}"]
        assert (tmp_path / "mot_results" / "live.txt").read_text() == ""
        hidden = [name for name in files(tmp_path) if name.startswith(".")]
        assert hidden == ([".live_vis.part.mp4"] if video else [])
        run.release()
        caplog.clear()


@pytest.mark.parametrize("text", [True, False])
def test_an_empty_video_of_a_killed_run_is_not_kept(tmp_path, caplog, text):
    leave_part(tmp_path, pictures=0)
    if text:
        leave_text(tmp_path)
    RunFiles(tmp_path, video=False).claim("live", SIZE)
    assert files(tmp_path) == ["live.txt", *(["live_interrupted.txt"] if text else [])]
    assert len(caplog.messages) == text


@pytest.mark.parametrize("older", [True, False])
@pytest.mark.parametrize("fault", ["folder", "part", "size"])
def test_a_video_that_cannot_be_made_leaves_the_text_as_it_was(tmp_path, older, fault):
    if older:
        leave_text(tmp_path)
    outputs = tmp_path / "mot_outputs"
    if fault != "size":
        (outputs / {"folder": "live_vis.mp4", "part": ".live_vis.part.mp4"}[fault]).mkdir(parents=True)
    with pytest.raises(OutputError, match=r"^cannot write .*mot_outputs/\S*live_vis\.") as caught:
        RunFiles(tmp_path, video=True).claim("live", (20000, 48) if fault == "size" else SIZE)
    assert "\n" not in str(caught.value)
    assert files(tmp_path) == (["live.txt"] if older else [])
    assert not older or (tmp_path / "mot_results" / "live.txt").read_text() == LINE


def test_a_video_that_was_not_begun_leaves_nothing(tmp_path):
    run = RunFiles(tmp_path, video=True)
    run.claim("live", SIZE)
    run.release()
    assert files(tmp_path) == ["live.txt"]


def test_a_file_system_without_locks_is_written_all_the_same(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(37, "No locks available")

    monkeypatch.setattr("fcntl.flock", refuse)
    assert RunFiles(tmp_path, video=True).claim("live", SIZE) == "live"


@given(st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1), st.integers(1, 300))
def test_names_fit(text, times):
    name = (text * times)[:300]
    fitting = fitting_name(name, "_2")
    assert len(os.fsencode(fitting)) <= 240 and fitting.endswith("_2")
    assert (fitting == f"{name}_2") == (len(os.fsencode(name)) <= 238)
    assert fitting_name(f"{name}x", "_2") != fitting


def test_whether_a_path_leads_to_an_open_file(tmp_path):
    path = tmp_path / "a"
    with path.open("w") as file:
        assert is_at(path, file.fileno())
        path.rename(tmp_path / "b")
        assert not is_at(path, file.fileno())
        path.touch()
        assert not is_at(path, file.fileno())
