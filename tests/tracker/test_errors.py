"""The text of an error: one line, and nothing in it that a terminal obeys."""

import pickle

import pytest

from tests.helpers.videos import write_video
from tracker.errors import OptionError, SourceError, printable


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ("plain: check the path", "plain: check the path"),
        ("\x1b[31mred\x1b]0;title\x07", r"\x1b[31mred\x1b]0;title\x07"),
        ("two\nlines\r", r"two\nlines\r"),
        ("c1 \x9b31m, \u202eright to left, half a pair \ud800", r"c1 \x9b31m, \u202eright to left, half a pair \ud800"),
        ("视频\u30001 é\xa0ß", "视频\u30001 é\xa0ß"),
    ],
)
def test_what_a_terminal_obeys_is_spelt_out(given, text):
    assert printable(given) == str(SourceError(given)) == text


def test_long_lines_of_a_file_are_cut_in_the_middle():
    text = str(SourceError(f"street.txt, line 2: got {'9' * 5000}: check the file"))
    assert len(text) == 1500 and text.startswith("street.txt, line 2: got 9") and text.endswith("9: check the file")


def test_an_error_survives_the_way_between_processes():
    error = pickle.loads(pickle.dumps(OptionError("a\nb")))
    assert isinstance(error, ValueError) and str(error) == r"a\nb"


def test_the_summary_of_a_video_with_such_a_name(tmp_path, module, clip_frames):
    video = write_video(tmp_path / "a\x1b[31m\nb.mp4", clip_frames[:2])
    result = module.mot_predict(video, tmp_path, visualization=False)
    first, *rest = str(result).split("\n")
    assert first.startswith(r"a\x1b[31m\nb: 2 frames") and first.isprintable() and all(map(str.isprintable, rest))
