"""Pictures and the report of a run and of its text: the same to the byte with the video, and what holds without it."""

import re
import shutil

import cv2
import numpy as np
import pytest

from tests.helpers.fake_pipeline import FakeDetector, numbered, sequence_run
from tests.helpers.videos import write_video
from tracker.analysis.scene import load_scene
from tracker.errors import OptionError
from tracker.pipeline.analyse import analyse
from tracker.pipeline.answering.scene_answers import Asked
from tracker.pipeline.answers import AnswersSink
from tracker.pipeline.track import track_source
from tracker.predictor import Predictor
from tracker.sources import open_source

SCENE = {
    "lines": {"door <b>": {"points": [[0.25, 0.2], [0.25, 0.9]], "in": "back", "out": "on"}},
    "zones": {"till": {"points": [[0, 0], [0.5, 0], [0.5, 1], [0, 1]]}},
}
PICTURES = {"people/1.jpg", "crossings/1.jpg", "background.jpg", "light.json"}


class Walker(FakeDetector):
    """Finds one person, whose foot goes right from (10, 60) on by four pixels a frame."""

    def decode(self, raw_outputs, preprocessed):
        left, *_ = super().decode(raw_outputs, preprocessed)[0] * 8
        return np.array([[left, 10, left + 20, 60]])


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A clip of a person who walks over a line, and the folder of its run."""
    folder = tmp_path_factory.mktemp("run")
    clip = write_video(folder / "clip.mp4", numbered(20), rate=10)
    Predictor(detector=Walker()).mot_predict(clip, folder, scene=SCENE, refine=True, trails=1.0)
    return folder, clip


def files(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("name", ["clip", "clip_refined"])
@pytest.mark.parametrize("with_video", [True, False])
def test_the_text_gives_the_pictures_and_the_report_of_the_run(run, tmp_path, name, with_video):
    folder, clip = run
    text = folder / "mot_results" / f"{name}.txt"
    made = files(analyse(text, SCENE, output_dir=tmp_path, video=clip if with_video else None).folder)
    expected = files(folder / "answers" / name)
    assert made.keys() == expected.keys() and made.keys() >= PICTURES
    assert [key for key in made if made[key] != expected[key]] == []
    assert b"people/1.jpg" in made["people.csv"]


def test_what_is_made_on_request_is_the_same_from_the_text(run, tmp_path):
    _, clip = run
    options = {"scene": SCENE, "people_count": 2, "heat_interval": "10s"}
    made = Predictor(detector=Walker()).mot_predict(clip, tmp_path, visualization=False, **options)
    expected = files(tmp_path / "answers" / "clip")
    assert expected.keys() >= {"heat_0001.npy", "heat_0001.png"} and "heat_0002.npy" not in expected
    again = analyse(made.text_path, output_dir=tmp_path / "again", video=clip, **options)
    assert files(again.folder) == expected
    assert not any("heat_0" in name for name in files(analyse(made.text_path, SCENE).folder)), "they were of before"
    for wrong in ({"heat_interval": "1s"}, {"heat_interval": "often"}, {"people_count": 0}, {"people_count": 99}):
        for call in (lambda: analyse(made.text_path, SCENE, **wrong), lambda: Predictor().mot_predict(clip, **wrong)):  # noqa: B023
            with pytest.raises(OptionError, match=next(iter(wrong))):
                call()


def test_a_moved_line_drops_the_proofs_that_no_longer_hold(run, tmp_path):
    folder, clip = run
    shutil.copytree(folder / "mot_results", tmp_path / "mot_results")
    shutil.copytree(folder / "answers", tmp_path / "answers")
    moved = {"lines": {"door": {**SCENE["lines"]["door <b>"], "points": [[0.3, 0.2], [0.3, 0.9]]}}}
    text = tmp_path / "mot_results" / "clip.txt"
    made = files(analyse(text, moved).folder)
    assert "crossings/1.jpg" not in made and "people/1.jpg" in made
    report = made["report.html"].decode()
    assert "analyse clip.txt --scene SCENE --video VIDEO" in report and 'type="checkbox"' not in report
    again = files(analyse(text, moved, video=clip).folder)
    assert "crossings/1.jpg" in again and b'type="checkbox"' in again["report.html"]


@pytest.mark.parametrize(("language", "word"), [("en", "Proof sheet"), ("zh", "核对表")])
def test_the_report_stands_alone(run, tmp_path, language, word):
    folder, _clip = run
    text = folder / "mot_results" / "clip.txt"
    page = (analyse(text, SCENE, output_dir=tmp_path, language=language).folder / "report.html").read_text("utf-8")
    assert word in page and page.count('type="checkbox"') == 2 and "default-src 'none'" in page
    addresses = re.findall(r"(?:src|href)=\"([^\"]*)\"", page)
    assert len(addresses) >= 6 and all(address.startswith("data:image/jpeg;base64,") for address in addresses)
    assert "door &lt;b&gt;" in page and "door <b>" not in page
    assert "nobody" in page, "the model of the run"


def test_the_wrong_video_is_named(run, tmp_path):
    folder, _ = run
    other = write_video(tmp_path / "other.mp4", [picture[:64] for picture in numbered(3)], rate=10)
    with pytest.raises(OptionError, match="160 x 64 pixels, but the text is of 160 x 96"):
        analyse(folder / "mot_results" / "clip.txt", SCENE, output_dir=tmp_path, video=other)


def test_an_unknown_language_is_refused(run, tmp_path):
    folder, clip = run
    with pytest.raises(OptionError, match="language must be en or zh"):
        analyse(folder / "mot_results" / "clip.txt", SCENE, output_dir=tmp_path, language="fr")
    with pytest.raises(OptionError, match="language must be en or zh"):
        Predictor(detector=FakeDetector()).mot_predict(clip, tmp_path, language="fr")


def test_the_view_decides_what_pictures_show(tmp_path):
    clip = write_video(tmp_path / "clip.mp4", numbered(8), rate=10)
    hidden = Asked(load_scene(SCENE), view=lambda frame, tracks: np.zeros_like(frame.image))
    with open_source(clip) as source:
        track_source(source, sequence_run(source, tmp_path, sinks=[AnswersSink(tmp_path, hidden)]), False)
    answers = tmp_path / "answers" / "clip"
    for path in (answers / "people" / "1.jpg", answers / "background.jpg"):
        assert cv2.imread(str(path)).max() <= 2


def test_the_text_gives_the_video_of_the_run_with_the_names_of_edits(run, tmp_path):
    _, clip = run
    made = Predictor(detector=Walker()).mot_predict(clip, tmp_path, scene=SCENE)
    again = analyse(made.text_path, SCENE, video=clip, visualization=True)
    assert again.video == tmp_path / "answers" / "clip" / "video.mp4"
    first, second = (list(open_source(path)) for path in (made.video_path, again.video))
    assert len(first) == len(second) == 20
    for before, after in zip(first, second):
        assert before.time == after.time and np.array_equal(before.image, after.image)
    named = analyse(made.text_path, SCENE, video=clip, visualization=True, edits={"name": {1: "Kim"}})
    difference = np.abs(list(open_source(named.video))[10].image.astype(int) - first[10].image).max(axis=2)
    assert (difference[:24] > 60).any() and (difference[48:] > 60).sum() == 0, "the label is longer"
    page = (named.folder / "report.html").read_text("utf-8")
    assert "<b>1 Kim</b>" in page
    assert analyse(made.text_path, SCENE).video is None and not again.video.exists(), "it was of other answers"


def test_a_video_is_made_where_there_is_one_and_nobody_is_to_be_hidden(run, tmp_path):
    folder, clip = run
    text = folder / "mot_results" / "clip.txt"
    with pytest.raises(OptionError, match="give video too"):
        analyse(text, SCENE, output_dir=tmp_path, visualization=True)
    with pytest.raises(OptionError, match="leave visualization out"):
        analyse(text, SCENE, output_dir=tmp_path, video=clip, visualization=True, private=True)
    assert not any(tmp_path.iterdir())
    hidden = Predictor(detector=Walker()).mot_predict(clip, tmp_path, scene=SCENE, anonymise="solid")
    assert analyse(hidden.text_path, SCENE, video=clip, visualization=True).video is None
    assert not list((tmp_path / "answers").rglob("*.mp4"))
