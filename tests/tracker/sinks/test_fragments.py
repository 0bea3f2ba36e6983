"""What is left of a growing video that was cut off anywhere."""

import numpy as np
import pytest

from tests.helpers.videos import decode_video, mp4_boxes
from tracker.sinks.fragments import count_pictures, make_whole, remux
from tracker.sinks.video import VideoWriter


@pytest.fixture(scope="module")
def grown(tmp_path_factory):
    """The bytes of a part file, and where each of its boxes ends."""
    folder = tmp_path_factory.mktemp("grown")
    random = np.random.default_rng(0)
    with VideoWriter(folder / "a.mp4", 10) as video:
        for index in range(8):
            video.write(random.integers(0, 255, (16, 32, 3), np.uint8), index / 10)
        content = (folder / ".a.part.mp4").read_bytes()
    ends, at = [], 0
    while at < len(content):
        at += int.from_bytes(content[at : at + 4], "big")
        ends.append(at)
    return content, ends


def test_a_video_cut_off_anywhere_plays_to_its_end(grown, tmp_path):
    content, ends = grown
    part, final = tmp_path / "part.mp4", tmp_path / "final.mp4"
    part.write_bytes(content)
    kinds = mp4_boxes(part)
    assert kinds[:2] == ["ftyp", "moov"] and kinds[2:] == ["moof", "mdat"] * (len(kinds) // 2 - 1) and len(kinds) > 6
    pictures = []
    for length in range(len(content) + 1):
        part.write_bytes(content[:length])
        playable = make_whole(part)
        whole = [end for end, kind in zip(ends, kinds) if end <= length and kind != "moof"]
        assert part.stat().st_size == max(whole, default=0)
        assert playable == (len(whole) > 2)
        if playable and (length in ends or length + 1 in ends):
            pictures.append(count_pictures(part))
            assert len(decode_video(part)[0]) == pictures[-1] == remux(part, final)
            assert len(decode_video(final)[0]) == pictures[-1]
    assert pictures == sorted(pictures) and pictures[0] < pictures[-1]


def test_zeros_at_the_end_are_cut_off(grown, tmp_path):
    content, _ = grown
    part = tmp_path / "part.mp4"
    part.write_bytes(content + bytes(5000))  # a file system after a loss of power
    assert make_whole(part)
    assert part.read_bytes() == content


def test_what_is_no_video_holds_nothing(tmp_path):
    part = tmp_path / "part.mp4"
    part.write_bytes(b"no video at all")
    assert not make_whole(part)


def test_what_a_link_leads_to_is_left_as_it_is(grown, tmp_path):
    content, _ = grown
    other, part = tmp_path / "other.mp4", tmp_path / "part.mp4"
    other.write_bytes(content[:-1])
    part.symlink_to(other)
    assert make_whole(part)
    assert other.read_bytes() == content[:-1]
