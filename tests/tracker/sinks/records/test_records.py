"""The files beside the text: times and what made it, and those that are none."""

import pytest

from tracker.errors import SourceError
from tracker.sinks.records.run_file import folder_digest, read_run
from tracker.sinks.records.times import read_times


@pytest.mark.parametrize(
    "content", ["", "frame,second\n1,0\n", "frame,seconds\n1\n", "frame,seconds\n5,1\n2,2\n", "frame,seconds\n1,x\n"]
)
def test_what_is_no_file_of_times_is_told(tmp_path, content):
    path = tmp_path / "a_times.csv"
    path.write_text(content)
    with pytest.raises(SourceError, match=r"a_times\.csv is no file of times"):
        read_times(path)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"size": [0, 2], "frame_rate": 1, "skip_frames": 1}', "["])
def test_what_is_no_file_of_a_run_is_told(tmp_path, content):
    path = tmp_path / "a_run.json"
    path.write_text(content)
    with pytest.raises(SourceError, match=r"a_run\.json is not the file of a run"):
        read_run(path)


def test_the_digest_of_a_model_tells_every_change(tmp_path):
    (tmp_path / "a").write_text("1")
    before = folder_digest(tmp_path)
    assert folder_digest(tmp_path) == before
    (tmp_path / "a").write_text("2")
    assert folder_digest(tmp_path) != before
