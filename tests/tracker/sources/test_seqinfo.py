"""What a seqinfo.ini states, and one that is wrong."""

import pytest

from tracker.errors import SourceError
from tracker.sources import open_source
from tracker.sources.seqinfo import read_seqinfo


def stated(tmp_path, text):
    (tmp_path / "seqinfo.ini").write_text(text, encoding="utf-8")
    info = read_seqinfo(tmp_path / "seqinfo.ini")
    return info.image_folder, info.frame_rate, info.length


def test_stated_values(tmp_path):
    text = "\ufeff[Sequence]\nname=50%\nimDir=100%frames\nframeRate=12.5\nseqLength=30\n"
    assert stated(tmp_path, text) == ("100%frames", 12.5, 30)


@pytest.mark.parametrize("text", ["", "[Sequence]\nname=walk\n", "[Other]\nframeRate=fast\n"])
def test_nothing_need_be_stated(tmp_path, text):
    assert stated(tmp_path, text) == ("img1", None, None)


@pytest.mark.parametrize("text", ["", "fast", "50%", "0", "-25", "nan", "inf"])
def test_frame_rate_must_be_a_positive_number(tmp_path, text):
    with pytest.raises(SourceError) as caught:
        stated(tmp_path, f"[Sequence]\nframeRate={text}\n")
    for part in (str(tmp_path / "seqinfo.ini"), "frameRate", repr(text)):
        assert part in str(caught.value)


@pytest.mark.parametrize("text", ["", "many", "-3", "2.5"])
def test_length_must_be_a_whole_number(tmp_path, text):
    with pytest.raises(SourceError) as caught:
        stated(tmp_path, f"[Sequence]\nseqLength={text}\n")
    for part in (str(tmp_path / "seqinfo.ini"), "seqLength", repr(text)):
        assert part in str(caught.value)


@pytest.mark.parametrize("content", [b"seqLength=3\n", b"[Sequence]\nseqLength=\xff\n", None])
def test_file_that_cannot_be_read_costs_one_line(tmp_path, content):
    path = tmp_path / "seqinfo.ini"
    if content is None:
        path.mkdir()
    else:
        path.write_bytes(content)
    with pytest.raises(SourceError) as caught:
        read_seqinfo(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_wrong_folder_of_images_is_named(tmp_path):
    (tmp_path / "seqinfo.ini").write_text("[Sequence]\nimDir=missing\n")
    with pytest.raises(SourceError, match=r"missing.*imDir"):
        open_source(tmp_path)
