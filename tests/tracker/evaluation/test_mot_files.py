"""The files of the MOTChallenge: what is read from them, what is refused, and which belong together."""

import pytest

from tests.helpers.dataset_files import A, B, write_boxes
from tracker.errors import OptionError, OutputError, SourceError
from tracker.evaluation.mot_files import (
    find_pairs,
    gt_path,
    make_folder,
    read_boxes,
    read_ground_truth,
    stated_frame_rate,
    stated_length,
)


def test_read_mot_keeps_order_and_fills_missing_columns(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("2,5,1,2,3,4,0.5\n1, 7 ,1.5,2,3,4,1,1,0.25\n")
    expected = [[2, 5, 1, 2, 3, 4, 0.5, -1, -1, -1], [1, 7, 1.5, 2, 3, 4, 1, 1, 0.25, -1]]
    assert read_boxes(path).tolist() == expected
    path.write_text("")
    assert read_boxes(path).shape == (0, 10)


@pytest.mark.parametrize("end", ["\n", "\r\n", " \n", ",\n", ", ,\r\n", "\t\n,,,\n"])
def test_what_editors_and_spreadsheets_make_of_a_file_is_read(tmp_path, end):
    path = tmp_path / "gt.txt"
    path.write_bytes(b"\xef\xbb\xbf" + f"1.0,3.0,1,2,3,4,1,1,0.5{end}2,3.0, 1,2,3,4,1,1,1{end}".encode())
    assert read_boxes(path).tolist() == [[1, 3, 1, 2, 3, 4, 1, 1, 0.5, -1], [2, 3, 1, 2, 3, 4, 1, 1, 1, -1]]


@pytest.mark.parametrize("given", ["SEQ", "SEQ/img1", "SEQ/gt", "SEQ/gt/gt.txt"])
def test_ground_truth_of_a_sequence_named_by_any_part_of_it(tmp_path, given):
    gt = write_boxes(tmp_path / "SEQ" / "gt" / "gt.txt", [(1, 1, A)])
    (tmp_path / "SEQ" / "img1").mkdir()
    assert gt_path(tmp_path / given).samefile(gt)
    (pair,) = find_pairs(tmp_path / given, tmp_path)
    assert (pair[0], pair[2]) == ("SEQ", tmp_path / "SEQ.txt")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("1 2 0 0 10 20 1", "numbers between commas"),
        ("1,2,0,x,10,20,1", "numbers between commas"),
        ("1,2,0,0,10,20", "7 to 10 columns, got 6"),
        ("1,2,0,0,10,20,1,-1,-1,-1,-1", "7 to 10 columns, got 11"),
        ("1,2,0,nan,10,20,1", "finite"),
        ("1,2,0,0,inf,20,1", "finite"),
        ("0,2,0,0,10,20,1", "whole numbers"),
        ("1.5,2,0,0,10,20,1", "whole numbers"),
        ("1,2.5,0,0,10,20,1", "whole numbers"),
        ("1,2,0,0,10,-1,1", "must not be negative, got 10 and -1"),
    ],
)
def test_malformed_line_is_named(tmp_path, line, message):
    path = write_boxes(tmp_path / "a.txt", [(1, 1, A)])
    with path.open("a") as file:
        file.write(f"\n{line}\n")
    with pytest.raises(SourceError) as caught:
        read_boxes(path)
    text = str(caught.value)
    assert text.startswith(f"{path}, line 3: ") and message in text and "\n" not in text


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("1,1,0,0,10,20,1,-1,-1,-1", "id 1 is twice in frame 1"),
        ("1,2,0,0,0,20,1", "must be positive, got 0 and 20 for id 2 in frame 1"),
    ],
)
def test_boxes_that_cannot_be_scored_are_named(tmp_path, line, message):
    path = write_boxes(tmp_path / "a.txt", [(1, 1, A)])
    path.write_text(path.read_text() + f"{line}\n")
    with pytest.raises(SourceError, match=message):
        read_boxes(path)


def test_ground_truth_ends_where_its_boxes_or_seqinfo_do(tmp_path):
    path = write_boxes(tmp_path / "seq/gt/gt.txt", [(2, 1, A), (7, 1, A), (5, 2, B)])
    boxes, last = read_ground_truth(path)
    assert last == 7 and boxes[:, 0].tolist() == [2, 7, 5]
    for stated, expected in ((9, 9), (3, 7)):
        (tmp_path / "seq/seqinfo.ini").write_text(f"[Sequence]\nseqLength={stated}\n")
        assert read_ground_truth(path)[1] == expected
    unflagged = write_boxes(tmp_path / "unflagged.txt", [(1, 1, A)], tail="0,-1,-1,-1")
    with pytest.raises(SourceError, match="no box counts"):
        read_ground_truth(unflagged)


def test_seqinfo_states_length_and_frame_rate(tmp_path):
    path = tmp_path / "seq/gt/gt.txt"
    path.parent.mkdir(parents=True)
    assert (stated_length(path), stated_frame_rate(path)) == (0, None)
    info = tmp_path / "seq/seqinfo.ini"
    info.write_text("[Sequence]\nname=100%\n")
    assert (stated_length(path), stated_frame_rate(path)) == (0, None)
    info.write_text("\ufeff[Sequence]\nseqLength=30\nframeRate=12.5\n", encoding="utf-8")
    assert (stated_length(path), stated_frame_rate(path)) == (30, 12.5)
    loose = tmp_path / "seq/other/gt.txt"
    assert (stated_length(loose), stated_frame_rate(loose)) == (0, None), "seqinfo.ini belongs to gt/gt.txt alone"


@pytest.mark.parametrize("stated", ["", "fast", "50%", "0", "-25", "nan", "inf"])
def test_frame_rate_of_seqinfo_must_be_a_positive_number(tmp_path, stated):
    info = tmp_path / "seqinfo.ini"
    info.write_text(f"[Sequence]\nframeRate={stated}\nseqLength=5\n")
    assert stated_length(tmp_path / "gt/gt.txt") == 5, "who needs only the length is not bothered"
    with pytest.raises(SourceError, match=rf"seqinfo\.ini' has frameRate '{stated}'"):
        stated_frame_rate(tmp_path / "gt/gt.txt")


@pytest.mark.parametrize("content", [b"seqLength=3\n", b"[Sequence]\nseqLength=\xff\n"])
def test_damaged_seqinfo_costs_one_line(tmp_path, content):
    (tmp_path / "seqinfo.ini").write_bytes(content)
    with pytest.raises(SourceError, match=r"seqinfo\.ini' cannot be read") as caught:
        stated_length(tmp_path / "gt/gt.txt")
    assert "\n" not in str(caught.value)


def test_pairs_are_named_by_their_sequence(tmp_path):
    one, two = (write_boxes(tmp_path / f"data/{name}/gt/gt.txt", [(1, 1, A)]) for name in ("one", "two"))
    loose = write_boxes(tmp_path / "loose/gt.txt", [(1, 1, A)])
    named = write_boxes(tmp_path / "street.txt", [(1, 1, A)])
    out = tmp_path / "out"
    out.mkdir()
    assert gt_path(one.parents[1]) == gt_path(one) == one
    assert find_pairs(tmp_path / "data", out) == [("one", one, out / "one.txt"), ("two", two, out / "two.txt")]
    assert find_pairs(one.parents[1], out, ".npz") == [("one", one, out / "one.npz")]
    assert find_pairs(two, named) == [("two", two, named)]
    assert find_pairs(loose, named) == [("loose", loose, named)]
    assert find_pairs(named, out) == [("street", named, out / "street.txt")]
    with pytest.raises(SourceError, match=r"must be a folder of SEQUENCE\.npz"):
        find_pairs(tmp_path / "data", named, ".npz")
    with pytest.raises(SourceError, match="holds neither"):
        find_pairs(out, out)


def test_a_folder_has_one_file_for_each_sequence(tmp_path):
    target = tmp_path / "a/b"
    assert make_folder(target, ["x", "y"]) == make_folder(target) == target
    assert target.is_dir()
    with pytest.raises(OptionError, match="two sequences are called 'x'"):
        make_folder(tmp_path / "c", ["x", "y", "x"])
    assert not (tmp_path / "c").exists()
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot be made"):
        make_folder(tmp_path / "file/below")
