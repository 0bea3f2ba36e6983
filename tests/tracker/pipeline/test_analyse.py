"""The answers of a run and those from its text: the same to the byte; and texts of all kinds."""

import json
import subprocess
import sys

import numpy as np
import pytest

from tests.helpers.fake_pipeline import FakeDetector, numbered
from tests.helpers.paths import ROOT
from tests.helpers.videos import write_video
from tracker.errors import OptionError, OutputError, SourceError
from tracker.pipeline.analyse import analyse
from tracker.predictor import Predictor
from tracker.sinks.records.times import Clock


class Walker(FakeDetector):
    """Finds one person, who walks right by 3 pixels a frame, their foot from (10, 60) on, in a picture of 160 x 96."""

    def decode(self, raw_outputs, preprocessed):
        return np.array([[3.0 * preprocessed, 10, 3.0 * preprocessed + 20, 60]])


SCENE = {
    "lines": {"door": {"points": [[0.25, 0.2], [0.25, 0.9]], "in": "back", "out": "on"}},
    "zones": {"till": {"points": [[0, 0], [0.5, 0], [0.5, 1], [0, 1]]}},
}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run with a scene and refinement, whose video pauses for a moment."""
    folder = tmp_path_factory.mktemp("run")
    predictor = Predictor(detector=Walker())
    options = {"scene": SCENE, "interval": 0.5, "start": "2026-10-25T02:59:59+02:00", "refine": True, "frame_rate": 10}
    with predictor.stream_mode(folder, name="clip", visualization=False, **options) as stream:
        stream.predict(numbered(20), [n / 10 + 0.2 * (n > 12) for n in range(20)])
    return folder, stream.result()


def files(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("name", ["clip", "clip_refined"])
def test_the_text_gives_the_same_bytes_as_the_run(run, tmp_path, name):
    folder, _ = run
    again = analyse(folder / "mot_results" / f"{name}.txt", SCENE, output_dir=tmp_path, interval=0.5)
    assert again.folder == tmp_path / "answers" / name
    made = files(again.folder)
    assert made == files(folder / "answers" / name) and len(made) >= 13
    assert made["crossings.csv"].count(b"\n") == 2 and b"\r" not in made["crossings.csv"]


def test_runs_at_once_have_answers_of_their_own(tmp_path):
    predictor = Predictor(detector=Walker())
    options = {"name": "clip", "scene": SCENE, "refine": True, "visualization": False}
    with predictor.stream_mode(tmp_path, **options) as first, predictor.stream_mode(tmp_path, **options) as second:
        for frame in numbered(20):
            first.predict([frame])
            second.predict([frame])
    assert second.result().name == "clip_2" and [row.id for row in second.result().crossings()] == [1]
    names = ["clip", "clip_2", "clip_2_refined", "clip_refined"]
    assert sorted(path.name for path in (tmp_path / "answers").iterdir()) == names
    for name in names:
        assert json.loads((tmp_path / "answers" / name / "summary.json").read_text())["name"] == name
        assert analyse(tmp_path / "mot_results" / f"{name}.txt", SCENE).folder == tmp_path / "answers" / name
    records = {path.name for path in (tmp_path / "mot_results").iterdir()}
    assert records >= {f"{name}{end}" for name in ("clip", "clip_2") for end in ("_run.json", "_times.csv")}


@pytest.mark.parametrize("scene", [SCENE, None])
def test_what_a_killed_run_noted_is_kept_with_its_text(tmp_path, scene):
    predictor = Predictor(detector=Walker())
    with predictor.stream_mode(tmp_path, name="clip", scene=SCENE, visualization=False) as older:
        older.predict(numbered(3))
    program = (
        "import os\nfrom tests.helpers.fake_pipeline import numbered\n"
        "from tests.tracker.pipeline.test_analyse import Walker\nfrom tracker.predictor import Predictor\n"
        f"stream = Predictor(detector=Walker()).stream_mode({str(tmp_path)!r}, name='clip', scene={scene!r})\n"
        "stream.predict(numbered(20))\nos._exit(1)"
    )
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=False)
    with predictor.stream_mode(tmp_path, name="clip", visualization=False) as stream:
        stream.predict(numbered(3))
    kept = tmp_path / "mot_results" / "clip_interrupted.txt"
    assert json.loads((tmp_path / "mot_results" / "clip_interrupted_run.json").read_text())["frame_rate"] == 30
    assert (tmp_path / "mot_results" / "clip_interrupted_times.csv").read_text() == "frame,seconds\n1,0.000\n"
    answers = {path.name for path in (tmp_path / "answers").iterdir()}
    assert answers == ({"clip_interrupted"} if scene else {"clip"})  # those of the older run are complete
    assert [row.id for row in analyse(kept, SCENE).crossings()] == [1]


def test_a_video_that_is_called_refined_has_records_of_its_own(tmp_path):
    for name, rate in (("clip", 10), ("clip_refined", 20)):
        options = {"name": name, "frame_rate": rate, "visualization": False}
        with Predictor(detector=Walker()).stream_mode(tmp_path, **options) as stream:
            stream.predict(numbered(20))
    for name, rate in (("clip", 10), ("clip_refined", 20)):
        answers = analyse(tmp_path / "mot_results" / f"{name}.txt", SCENE)
        assert answers.summary()["frame_rate"] == rate


def test_a_result_gives_its_answers_as_rows_and_tables(run):
    _, result = run
    (crossing,) = result.crossings()
    assert (crossing.line, crossing.direction, crossing.id) == ("door", "on", 1)
    assert crossing.time.startswith("2026-10-25T03:00:0") and crossing.time.endswith("+02:00")
    assert len(result.counts()) == 5 and len(result.counts(interval=10)) == 1
    assert sum(row.out for row in result.counts(interval=10)) == sum(row.out for row in result.counts()) == 1
    (visit,) = result.visits()
    assert visit.open == 1 and visit.left == pytest.approx(2.1)
    assert result.people == 1 and [person.id for person in result.people()] == [1]
    assert result.heat().seconds.sum() == pytest.approx(2.1, rel=1e-3)
    for rows in (
        result.crossings(),
        result.counts(),
        result.counts(5),
        result.visits(),
        result.people(),
        result.heat(),
    ):
        table = rows.to_dataframe()
        assert len(table) == len(list(rows)) > 0
    assert list(result.counts().to_dataframe().columns)[:4] == ["start", "end", "line", "in"]
    with pytest.raises(OptionError, match="interval"):
        result.counts(0)


def test_times_are_those_of_the_frames(run):
    folder, _ = run
    lines = (folder / "mot_results" / "clip_times.csv").read_text().splitlines()
    assert lines == ["frame,seconds", "1,0.000", "14,1.500", "20,2.100"]


def test_the_file_of_a_run_tells_what_made_it(run):
    folder, _ = run
    about = json.loads((folder / "mot_results" / "clip_run.json").read_text())
    assert (about["size"], about["frame_rate"], about["first_frame"], about["last_frame"]) == ([160, 96], 10, 1, 20)
    assert about["options"]["scene"]["lines"]["door"]["in"] == "back" and about["model"] == "nobody"
    assert {"numpy", "python"} <= about["versions"].keys() and about["processor"] and about["stage_seconds"]


def test_a_video_with_the_scene_in_it_has_the_same_answers_twice(tmp_path):
    clip = write_video(tmp_path / "clip.mp4", numbered(20), rate=10)
    for name in "ab":
        result = Predictor(detector=FakeDetector()).mot_predict(clip, tmp_path / name, scene=SCENE)
        assert result.video_path.exists() and "answers" in str(result)
    assert files(tmp_path / "a" / "answers" / "clip") == files(tmp_path / "b" / "answers" / "clip")
    texts = [(tmp_path / name / "mot_results" / "clip.txt").read_bytes() for name in "ab"]
    assert texts[0] == texts[1]


def test_who_is_in_an_ignored_region_is_not_tracked(tmp_path):
    everywhere = {"ignore": [[[0, 0], [1, 0], [1, 1], [0, 1]]]}
    with Predictor(detector=FakeDetector()).stream_mode(tmp_path, scene=everywhere, visualization=False) as stream:
        assert [len(frame) for frame in stream.predict(numbered(5))] == [0] * 5
    assert stream.result().people == 0 and list(stream.result().people()) == []


def test_without_a_scene_there_are_no_answers(tmp_path):
    with Predictor(detector=FakeDetector()).stream_mode(tmp_path, visualization=False) as stream:
        stream.predict(numbered(3))
    assert not (tmp_path / "answers").exists()
    with pytest.raises(OutputError, match="had no scene"):
        stream.result().people()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"scene": {"lines": 3}}, "lines must be a mapping"),
        ({"scene": "missing.yml"}, "missing.yml"),
        ({"start": "yesterday"}, "start must be a date and time"),
        ({"interval": 0}, "interval must be a number"),
    ],
)
def test_mistakes_are_told_before_anything_is_made(tmp_path, options, message):
    with pytest.raises(OptionError, match=message):
        Predictor(detector=FakeDetector()).stream_mode(tmp_path / "out", **options)
    assert not (tmp_path / "out").exists()


SIZED = {**SCENE, "size": [160, 96]}
SIZED["lines"] = {"door": {"points": [[80, 10], [80, 90]]}}
SIZED["zones"] = {}


def text_of(rows, path):
    path.write_text("".join(",".join(map(str, row)) + "\n" for row in rows))
    return path


def rows(ids=(0, 7), frames=range(1, 41)):
    """Two people who cross the door, with numbers as other tools give them."""
    return [[f, i, 4 * f - 10 + 3 * n, 20, 20, 40, 0.9] for f in frames for n, i in enumerate(ids)]


def test_texts_of_other_tools_are_read(tmp_path):
    made = rows()
    ordered = analyse(text_of(made, tmp_path / "a.txt"), SIZED, output_dir=tmp_path / "1", frame_rate=10)
    assert [row.id for row in ordered.crossings()] == [0, 7] or {row.id for row in ordered.crossings()} == {0, 7}
    np.random.default_rng(0).shuffle(made)
    mixed = analyse(text_of(made, tmp_path / "a.txt"), SIZED, output_dir=tmp_path / "2", frame_rate=10)
    assert files(mixed.folder) == files(ordered.folder)


def lines_of(frames, first_id, step):
    """A MOT text of ten people a frame whose ids have gaps, a new ten every 500 frames."""
    for frame in range(1, frames + 1):
        left = 4 * (frame % 50)
        for n in range(10):
            identity = first_id + step * (10 * (frame // 500) + n)
            yield f"{frame},{identity},{left + n},{20 + n},20,40,0.9,-1,-1,-1\n"


@pytest.mark.parametrize(("first_id", "step"), [(0, 1), (7, 1000), (10**12, 3)])
def test_ids_may_begin_anywhere_and_have_gaps(tmp_path, first_id, step):
    (tmp_path / "a.txt").write_text("".join(lines_of(60, first_id, step)))
    result = analyse(tmp_path / "a.txt", SIZED, output_dir=tmp_path, frame_rate=10)
    assert [person.id for person in result.people()] == [first_id + step * n for n in range(10)]
    assert all(person.frames == 60 for person in result.people())


@pytest.mark.slow
@pytest.mark.parametrize("order", [1, -1], ids=["sorted", "backwards"])
def test_a_million_rows_are_answered(tmp_path, order):
    lines = list(lines_of(100_000, 0, 2))
    (tmp_path / "a.txt").write_text("".join(lines[::order]))
    result = analyse(tmp_path / "a.txt", SIZED, output_dir=tmp_path, frame_rate=10)
    assert result.people_seen == 2010 and result.seconds == pytest.approx(9999.9)
    assert sum(row.frames for row in result.people()) == len(lines) == 1_000_000


def test_an_empty_text_has_empty_answers(tmp_path):
    result = analyse(text_of([], tmp_path / "a.txt"), SIZED, output_dir=tmp_path, frame_rate=10)
    assert result.people_seen == 0 and list(result.crossings()) == list(result.people()) == []
    assert result.heat().seconds.sum() == 0 and "0 people" in str(result)


@pytest.mark.parametrize(
    ("made", "message"),
    [
        ([[1, 1, 0, 0, 9, 9, 1], [1, 1, 5, 5, 9, 9, 1]], "id 1 is twice in frame 1"),
        ([[1, 1, 0, 0, 9, 9, 1], [10**14, 1, 5, 5, 9, 9, 1]], "years after the first"),
        ([[1, 1, 0, 0, "x", 9, 1]], "line 1: expected numbers"),
    ],
)
def test_a_text_that_cannot_be_is_told_in_one_line(tmp_path, made, message):
    with pytest.raises(SourceError, match=message) as error:
        analyse(text_of(made, tmp_path / "a.txt"), SIZED, output_dir=tmp_path, frame_rate=10)
    assert "a.txt" in str(error.value) and len(str(error.value).splitlines()) == 1


def test_what_is_missing_is_asked_for_by_name(tmp_path):
    text = text_of(rows(), tmp_path / "a.txt")
    with pytest.raises(OptionError, match="the size of the picture and the frame rate must be known"):
        analyse(text, SCENE, output_dir=tmp_path)
    with pytest.raises(OptionError, match="the frame rate must be known"):
        analyse(text, SIZED, output_dir=tmp_path)
    video = write_video(tmp_path / "clip.mp4", numbered(2), rate=10)
    assert analyse(text, SCENE, video=video, output_dir=tmp_path).seconds == pytest.approx(3.9)
    with pytest.raises(SourceError, match="is no file"):
        analyse(tmp_path / "missing.txt", SCENE)


def test_a_clock_can_be_told_again_from_its_marks():
    random = np.random.default_rng(0)
    times = np.cumsum(random.choice([0.04, 0.041, 0.0395, 0.2], 400, p=[0.5, 0.24, 0.24, 0.02]))
    clock, marks, told = Clock(25.0), [], []
    for frame, seconds in enumerate(times, 1):
        told.append(clock.tell(frame, seconds))
        if told[-1][1]:
            marks.append((frame, told[-1][0]))
    again = Clock(25.0, marks).at(np.arange(1.0, 401))
    assert again.tolist() == [ms for ms, _ in told] and len(marks) < 200
    assert np.abs(again / 1000 - times).max() <= 0.0045


def test_a_stream_says_when_it_began(tmp_path):
    with Predictor(detector=FakeDetector()).stream_mode(tmp_path, scene=SCENE, start="2026-11-27T09:00:00Z") as stream:
        stream.predict(numbered(3))
    assert stream.result().answers.summary()["start"] == "2026-11-27T09:00:00+00:00"
