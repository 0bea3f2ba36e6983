"""Which videos sources name, and what their results are called."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker.errors import OptionError, SourceError
from tracker.library.batch.clips import Clip, find_clips, unique_names


@pytest.fixture
def library(tmp_path, monkeypatch):
    """A folder with videos, images and other files, which is the current one."""
    for name in (
        "a/street.mp4",
        "a/notes.txt",
        "a/clip10.mp4",
        "a/clip2.MP4",
        "b/street.mp4",
        "b/deep/hall.avi",
        "frames/000001.jpg",
        "frames/000002.jpg",
        "sequence/img1/000001.jpg",
        "empty/notes.txt",
        "out/mot_outputs/street_vis.mp4",
        "out/.batch/x/mot_outputs/x_vis.mp4",
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def names(*sources, **options):
    return [clip.name for clip in find_clips(sources, **options)]


def test_a_folder_stands_for_its_videos_in_natural_order(library):
    assert find_clips("a") == [
        Clip("a/clip2.MP4", "clip2"),
        Clip("a/clip10.mp4", "clip10"),
        Clip("a/street.mp4", "street"),
    ]


def test_images_are_one_video(library):
    assert find_clips(["frames", "sequence"]) == [Clip("frames", "frames"), Clip("sequence", "sequence")]
    assert find_clips("frames/*.jpg") == [Clip("frames/*.jpg", "frames")]


def test_a_glob_finds_videos_and_folders_but_not_the_results(library):
    assert names("**/*.mp4", output="out") == ["clip10", "a_street", "b_street"]
    found = {clip.source for clip in find_clips(["*", "b/*"], output="out")}
    assert found == {
        "a/street.mp4",
        "a/clip10.mp4",
        "a/clip2.MP4",
        "b/street.mp4",
        "b/deep/hall.avi",
        "frames",
        "sequence",
    }


def test_a_list_names_sources_relative_to_its_folder(library, monkeypatch):
    (library / "b" / "list.txt").write_text(
        "# mine\n\ndeep/hall.avi\n../a/*.mp4\nhttps://me:secret@host/live.mp4?key=1\n"
    )
    clips = find_clips([], "b/list.txt")
    assert [clip.name for clip in clips] == ["hall", "clip10", "street", "live"]
    assert clips[-1].source == "https://me:secret@host/live.mp4?key=1"
    assert clips[-1].shown == "https://***@host/live.mp4?..."
    monkeypatch.setattr("sys.stdin", io.StringIO("a/street.mp4\n"))
    assert names("b/deep", list_file="-") == ["hall", "street"]


def test_what_is_named_twice_is_tracked_once(library):
    (library / "link.mp4").symlink_to("a/street.mp4")
    assert names("a/street.mp4", "a", library / "a" / "street.mp4", "link.mp4") == ["street", "clip2", "clip10"]


def test_what_is_not_there_is_told_and_stops_no_other(library):
    missing, unmatched, there = find_clips(["c/street.mp4", "c/*.mp4", "a/street.mp4"])
    assert missing.error == "'c/street.mp4' does not exist: check the path"
    assert unmatched.error == "'c/*.mp4' matches no video"
    assert there.error == "" and len({missing.name, unmatched.name, there.name}) == 3


def test_bad_sources_are_refused(library):
    with pytest.raises(SourceError, match="there is no video"):
        find_clips([])
    with pytest.raises(SourceError, match=r"cannot read the list none\.txt: No such file"):
        find_clips([], "none.txt")
    (library / "list.txt").write_bytes(b"\xff\xfe\xfa")
    with pytest.raises(SourceError, match="is no list"):
        find_clips([], "list.txt")
    for source in ("", "a\0b", 3):
        with pytest.raises(OptionError, match="must be a path or an address"):
            find_clips([source])


def test_names_of_one_stem_get_their_folders():
    assert unique_names(["a/street.mp4", "b/street.mp4", "hall.mp4"]) == ["a_street", "b_street", "hall"]
    assert unique_names(["x/a/street.mp4", "y/a/street.mp4"]) == ["x_a_street", "y_a_street"]
    assert unique_names(["a/street.mp4", "a/street.avi"]) == ["street_mp4", "street_avi"]
    assert unique_names(["a/Street.mp4", "b/street.mp4"]) == ["a_Street", "b_street"]


def test_no_name_takes_the_refined_results_of_another():
    assert unique_names(["a/street.mp4", "a/street_refined.mp4"]) == ["street", "a_street_refined"]


PARTS = st.text("aB_", min_size=1, max_size=2)
PATHS = st.lists(PARTS, min_size=1, max_size=4).map("/".join)
SOURCES = st.tuples(PATHS, st.sampled_from([".mp4", ".avi", "", "_refined.mp4"])).map("".join)


@given(st.lists(SOURCES, unique=True, max_size=30))
def test_names_never_collide(sources):
    made = [name.casefold() for name in unique_names(sources)]
    assert len(set(made)) == len(sources)
    assert not {f"{name}_refined" for name in made} & set(made)
    assert all(name and "/" not in name for name in made)
