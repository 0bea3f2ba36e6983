"""Refinement at the end of a run: a second file, made from the first, which stays as it is."""

import numpy as np
import pytest

from tests.helpers.videos import write_video
from tracker.evaluation.mot_files import read_mot


@pytest.fixture(scope="module")
def clip(tmp_path_factory, clip_frames):
    """Twenty frames of which the tenth shows nobody."""
    frames = [frame.copy() for frame in clip_frames[:20]]
    frames[9][:] = 90
    return write_video(tmp_path_factory.mktemp("clip") / "street.mp4", frames, rate=10)


def test_a_second_file_is_complete_where_the_first_has_a_gap(module, clip, tmp_path):
    plain = module.mot_predict(clip, output_dir=tmp_path / "plain", visualization=False)
    assert plain.refined_path is None and not list(tmp_path.glob("plain/*/*refined*"))
    result = module.mot_predict(clip, output_dir=tmp_path, visualization=False, refine=True)
    assert result.text_path.read_text() == plain.text_path.read_text()
    assert result.refined_path == tmp_path / "mot_results" / "street_refined.txt"
    assert f"refined: {result.refined_path}" in str(result)
    before, after = read_mot(result.text_path), read_mot(result.refined_path)
    assert not (before[:, 0] == 10).any() and (after[:, 0] == 10).sum() >= 3
    assert set(after[:, 1]) == set(range(1, int(after[:, 1].max()) + 1))
    assert (after[:, 4:6] > 0).all() and (np.diff(after[:, 0]) >= 0).all()


def test_settings_reach_the_refinement(module, clip, tmp_path):
    options = {"refine": True, "refine_fill_seconds": 0, "refine_smooth_seconds": 0, "refine_ghost_seconds": 0}
    result = module.mot_predict(clip, output_dir=tmp_path, visualization=False, **options)
    assert not (read_mot(result.refined_path)[:, 0] == 10).any()


def test_stream_mode_refines_when_it_is_left(module, clip_frames, tmp_path):
    with module.stream_mode(output_dir=tmp_path, visualization=False, refine=True) as stream:
        stream.predict(clip_frames[:4])
        assert stream.result().refined_path is None
    assert len(read_mot(stream.result().refined_path)) >= 4


def test_a_sequence_without_anybody_gives_an_empty_file(module, clip, tmp_path):
    result = module.mot_predict(clip, output_dir=tmp_path, visualization=False, refine=True, score_threshold=1.0)
    assert result.refined_path.read_text() == ""


def test_a_refined_file_that_cannot_be_written_costs_one_line_and_not_the_tracks(module, clip, tmp_path):
    plain = module.mot_predict(clip, output_dir=tmp_path / "plain", visualization=False)
    (tmp_path / "mot_results" / "street_refined.txt").mkdir(parents=True)
    with pytest.raises(Exception, match=r"cannot write .*street_refined\.txt") as caught:
        module.mot_predict(clip, output_dir=tmp_path, visualization=False, refine=True)
    assert type(caught.value).__name__ == "OutputError" and "\n" not in str(caught.value)
    assert (tmp_path / "mot_results" / "street.txt").read_text() == plain.text_path.read_text()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"refine": "yes"}, "refine must be True or False"),
        ({"refine_fill_seconds": 1}, "refine_fill_seconds has no effect without refine"),
        ({"refine": True, "refine_relink_ratio": 0}, "refine_relink_ratio must be a number from 0.1 to 1"),
        ({"association": "byte", "reid_sigma": 2}, "reid_sigma has no effect with association byte"),
    ],
)
def test_mistakes_cost_one_line_and_no_files(module, clip, tmp_path, options, message):
    with pytest.raises(ValueError, match=message):
        module.mot_predict(clip, output_dir=tmp_path, **options)
    assert not list(tmp_path.iterdir())
