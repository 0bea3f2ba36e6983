"""Input sizes beside each other: average precision by the height of people, and the table."""

import json

import cv2
import numpy as np
import pytest

from tests.helpers.dataset_files import write_boxes
from tools import eval_model
from tools.evaluation.sizes import compare_sizes, mark_band
from tracker.boxes import ltwh_to_ltrb
from tracker.detection.detector import Model
from tracker.errors import OptionError, SourceError
from tracker.evaluation.validation import SequenceFiles
from tracker.models.locate import COMPACT
from tracker.settings.runtime import RuntimeOptions
from tracker.structures import Detections

NOBODY = np.zeros((0, 4))
SMALL, TALL, NEARLY = (0, 0, 20, 40), (100, 0, 60, 120), (0, 0, 20, 52)  # NEARLY overlaps SMALL by 40 / 52
ELSEWHERE, ELSEWHERE_TALL = (300, 0, 20, 40), (300, 0, 60, 120)


def right(found, true, low, high, ignored=NOBODY):
    corners = ltwh_to_ltrb(np.array(found, float).reshape(-1, 4))
    detections = Detections(corners, 0.9 - 0.1 * np.arange(len(found)), np.zeros((len(found), 0)))
    true = np.array(true, float).reshape(-1, 4)
    return mark_band(detections, true, np.array(ignored, float).reshape(-1, 4), low, high)[:, 1].tolist()


def test_a_band_counts_its_own_people_alone():
    assert right([SMALL, TALL], [SMALL, TALL], 0, 50) == [1]
    assert right([SMALL, TALL], [SMALL, TALL], 50, np.inf) == [1]
    assert right([SMALL, TALL], [SMALL, TALL], 0, np.inf) == [1, 1]
    assert right([SMALL, TALL], [SMALL, TALL], 200, np.inf) == []


def test_false_detections_count_in_the_band_of_their_own_height():
    assert right([ELSEWHERE, ELSEWHERE_TALL], [SMALL], 0, 50) == [0]
    assert right([ELSEWHERE, ELSEWHERE_TALL], [SMALL], 50, np.inf) == [0]


def test_a_box_of_another_height_finds_somebody_of_the_band():
    assert right([NEARLY], [SMALL], 0, 50) == [1]
    assert right([NEARLY], [SMALL], 50, np.inf) == []  # somebody else's, and ignored there
    assert right([SMALL], [NEARLY], 50, np.inf) == [1]


def test_ignored_people_are_ignored_in_every_band():
    assert right([SMALL], [TALL], 0, 50, ignored=[SMALL]) == []
    assert right([], [SMALL], 0, 50) == []


@pytest.fixture(scope="module")
def sequence(tmp_path_factory, clip_frames):
    """Four pictures of the clip with what the model finds at its own size as ground truth."""
    folder = tmp_path_factory.mktemp("sequences") / "walk"
    (folder / "img1").mkdir(parents=True)
    detector, boxes = Model(COMPACT, RuntimeOptions(precision="fp32")).detector(), []
    for number, image in enumerate(clip_frames[:4], start=1):
        cv2.imwrite(str(folder / "img1" / f"{number:06}.png"), image)
        found = detector(image)
        sure = found.boxes[found.scores > 0.6].astype(float)
        sizes = np.concatenate([sure[:, :2], sure[:, 2:] - sure[:, :2]], axis=1)
        boxes += [(number, i, tuple(box)) for i, box in enumerate(sizes, start=1)]
    write_boxes(folder / "gt" / "gt.txt", boxes)
    (folder / "seqinfo.ini").write_text("[Sequence]\nimDir=img1\nframeRate=5\nseqLength=4\n")
    return folder


def models(*sizes):
    return [Model(COMPACT, RuntimeOptions(precision="fp32", input_size=size)) for size in sizes]


def test_the_size_whose_boxes_are_true_finds_them_all(sequence):
    table = compare_sizes(models(None, (160, 96)), [SequenceFiles.of_folder(sequence)], [80, 100])
    own, small = table.rows
    assert (own.size, small.size) == ("1088x608", "160x96")
    assert own.ap50 == pytest.approx(1, abs=0.05) and small.ap50 < own.ap50 - 0.1
    assert small.milliseconds > 0 and own.milliseconds > 0
    assert table.bands == ("0-80 px", "80-100 px", "100+ px")
    assert sum(table.people) > 8 and [value is None for value in own.by_height] == [not n for n in table.people]
    lines = str(table).splitlines()
    assert len(lines) == 4 and len({len(line) for line in lines}) == 1
    assert lines[1].split() == ["people", str(sum(table.people)), *map(str, table.people)]


def test_wrong_heights_and_nobody_are_told(sequence, tmp_path):
    (one,) = models((320, 192))
    for heights in ([100, 50], [0, 50], [-1], [50, 50], [float("nan")]):
        with pytest.raises(OptionError, match="heights must increase from above 0"):
            compare_sizes([one], [SequenceFiles.of_folder(sequence)], heights)
    gt = write_boxes(tmp_path / "gt.txt", [(99, 1, SMALL)])
    with pytest.raises(SourceError, match="walk: no sampled frame has people that count"):
        compare_sizes([one], [SequenceFiles("walk", sequence, gt)])


def test_the_command_prints_the_table_and_writes_it(sequence, tmp_path, capsys):
    general = ["--model", "compact", "--sequences", str(sequence), "--compare_sizes"]
    figures = tmp_path / "sizes.json"
    assert eval_model.main([*general, "320x192", "auto", "--every", "2", "--json", str(figures)]) == 0
    title, header, *lines = capsys.readouterr().out.splitlines()
    assert title.startswith("jde_compact, ") and header.split()[:3] == ["input", "ms", "AP50"]
    assert [line.split()[0] for line in lines] == ["people", "320x192", "1088x608"]
    assert [row["size"] for row in json.loads(figures.read_text())["rows"]] == ["320x192", "1088x608"]
    for wrong, message in (
        (["320x200"], "multiples of 32"),
        (["auto", "--every", "0"], "every must be a whole number"),
        (["auto", "--heights", "9", "8"], "heights must increase"),
    ):
        assert eval_model.main([*general, *wrong]) == 1
        assert message in capsys.readouterr().err
