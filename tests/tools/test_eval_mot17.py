"""The half-validation on a made-up folder of MOT17's layout: what is found, what counts, and the one command."""

import json
import shutil

import cv2
import numpy as np
import pytest

from tests.helpers.dataset_files import A, B, C, write_boxes, write_mot
from tools import eval_mot17
from tools.evaluation.mot17 import find_halves
from tracker.detection.detector import Model
from tracker.errors import SourceError
from tracker.evaluation.mot_files import read_boxes
from tracker.evaluation.mot_metrics import combine, score_boxes
from tracker.models.locate import COMPACT
from tracker.sinks.mot_text import read_mot

COUNTS, ZERO, CAR, DISTRACTOR, REFLECTION = "1,1,1", "0,1,.5", "0,3,1", "0,8,0", "0,12,.2"  # flag, class, visibility
FAR = (400, 0, 10, 20)


def write_sequence(folder, boxes, length, images=()):
    """A sequence of boxes (frame, id, box, tail), and of given images or of small grey ones."""
    write_mot(folder, frames=0 if images else length)
    for number, image in enumerate(images, start=1):
        (folder / "img1").mkdir(exist_ok=True)
        cv2.imwrite(str(folder / "img1" / f"{number:06}.jpg"), image)
    info = folder / "seqinfo.ini"
    info.write_text(f"[Sequence]\nimDir=img1\nframeRate=10\nseqLength={length}\nimExt=.jpg\n")
    write_boxes(folder / "gt" / "gt.txt", boxes)
    return folder


@pytest.fixture
def street(tmp_path):
    """Ten frames with one of each kind."""
    kinds = [(1, A, COUNTS), (2, B, ZERO), (3, C, DISTRACTOR), (4, FAR, CAR)]
    boxes = [(frame, i, box, tail) for frame in range(1, 11) for i, box, tail in kinds]
    return write_sequence(tmp_path / "MOT17" / "train" / "MOT17-02-SDP", boxes, 10)


def test_one_variant_of_each_sequence_in_either_folder(street):
    train = street.parent
    for name in ("MOT17-02-FRCNN", "MOT17-02-DPM", "MOT17-13-FRCNN", "MOT20-01"):
        shutil.copytree(street, train / name)
    for folder in (train, train.parent):
        assert [half.name for half in find_halves(folder)] == ["MOT17-02", "MOT17-13", "MOT20-01"]
    assert find_halves(train)[0].folder == train / "MOT17-02-DPM"


@pytest.mark.parametrize(("length", "first"), [(10, 7), (11, 7), (600, 302), (1050, 527)])
def test_the_half_is_that_of_centertrack(street, length, first):
    """Numbers count from 1; of MOT17-02 its 299 last frames of 600 are validated on."""
    boxes = [(frame, 1, A, COUNTS) for frame in range(1, length + 1)]
    write_boxes(street / "gt" / "gt.txt", boxes)
    (street / "seqinfo.ini").write_text(f"[Sequence]\nframeRate=30\nseqLength={length}\n")
    (half,) = find_halves(street.parent)
    assert half.first == first == half.gt[:, 0].min() and len(half.gt) == length - first + 1


@pytest.mark.parametrize(
    ("found", "false"),
    [
        pytest.param([A], 0, id="counts"),
        pytest.param([A, B], 1, id="a pedestrian of flag 0 is nobody"),
        pytest.param([A, C], 0, id="a distractor is removed"),
        pytest.param([A, FAR], 1, id="a car is a car"),
        pytest.param([A, B, C, FAR], 2, id="all"),
    ],
)
def test_what_counts(street, tmp_path, found, false):
    (half,) = find_halves(street.parent)
    boxes = [(frame, i, box) for frame in range(7, 11) for i, box in enumerate(found)]
    values = combine([score_boxes(half.gt, read_boxes(write_boxes(tmp_path / "found.txt", boxes)))])
    assert (values["FP"], values["FN"], values["MOTA"]) == (4 * false, 0, 1 - false)


def test_a_result_that_a_distractor_takes_is_gone_though_a_pedestrian_is_near(street, tmp_path):
    """Results are matched with all classes at once, a reflection closer by than the pedestrian takes its own."""
    beside = (2, 0, 10, 20)
    boxes = [(frame, 1, A, COUNTS) for frame in range(1, 11)] + [(frame, 2, beside, REFLECTION) for frame in (9, 10)]
    write_boxes(street / "gt" / "gt.txt", boxes)
    (half,) = find_halves(street.parent)
    result = write_boxes(tmp_path / "found.txt", [(frame, 1, beside) for frame in range(7, 11)])
    values = combine([score_boxes(half.gt, read_boxes(result))])
    assert (values["FP"], values["FN"]) == (0, 2)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda folder: shutil.rmtree(folder / "gt"), "holds neither SEQUENCE/gt/gt.txt nor train/"),
        (lambda folder: (folder / "seqinfo.ini").unlink(), "must state seqLength and frameRate"),
        (lambda folder: (folder / "seqinfo.ini").write_text("[Sequence]\nseqLength=10\n"), "must state seqLength"),
        (lambda folder: write_boxes(folder / "gt" / "gt.txt", [(9, 1, A)]), "must be classes from 1 to 13"),
        (
            lambda folder: write_boxes(folder / "gt" / "gt.txt", [(6, 1, A, COUNTS)]),
            "no pedestrian counts",
        ),
        (lambda folder: write_boxes(folder / "gt" / "gt.txt", [(9, 1, A, ZERO)]), "no pedestrian counts"),
    ],
)
def test_what_is_not_mot17_is_told_in_one_line(street, change, message, capsys):
    change(street)
    with pytest.raises(SourceError, match=message):
        find_halves(street.parent)
    assert eval_mot17.main([str(street.parent)]) == 1
    out, err = capsys.readouterr()
    assert out == "" and len(err.splitlines()) == 1 and message in err


@pytest.fixture(scope="module")
def mot17(tmp_path_factory, clip_frames):
    """Two sequences of the clip in MOT17's layout: what the model finds is true in one, a part of it in the other."""
    folder = tmp_path_factory.mktemp("data") / "MOT17"
    detector = Model(COMPACT).detector()
    for name, images, share in (("MOT17-04", clip_frames[:10], 1.0), ("MOT17-09", clip_frames[10:22], 0.6)):
        boxes = []
        for number, image in enumerate(images, start=1):
            found = detector(image)
            sure = found.boxes[found.scores > 0.6].astype(float)
            for left, top, right, bottom in sure[: max(1, round(share * len(sure)))]:
                # nobody moves by more than a pixel or two a frame, so that the place may stand for the person
                boxes.append((number, 1 + round(left / 60), (left, top, right - left, bottom - top), COUNTS))
        unique = {(frame, i): (frame, i, *rest) for frame, i, *rest in boxes}
        for variant in ("DPM", "FRCNN", "SDP"):
            write_sequence(folder / "train" / f"{name}-{variant}", list(unique.values()), len(images), images)
    return folder


def test_one_command_makes_the_table(mot17, tmp_path, capsys):
    arguments = [str(mot17), "--json", str(tmp_path / "scores.json"), "--output", str(tmp_path / "texts")]
    assert eval_mot17.main(arguments) == 0
    header, *lines = capsys.readouterr().out.splitlines()
    assert header.split()[:6] == ["model", "association", "sequence", "HOTA", "MOTA", "IDF1"]
    assert [line.split()[:3] for line in lines] == [
        *(
            ["jde_compact", name, sequence]
            for sequence in ("MOT17-04", "MOT17-09")
            for name in ("fused", "byte", "jde")
        ),
        *(["jde_compact", name, "overall"] for name in ("fused", "byte", "jde")),
    ]
    scores = json.loads((tmp_path / "scores.json").read_text())
    by_name = {(row["association"], row["sequence"]): row for row in scores["sequences"]}
    # the boxes of a track are smoothed, so not all of what is exactly true is exactly found
    assert by_name["fused", "MOT17-04"]["MOTA"] > 0.7 and by_name["fused", "MOT17-09"]["MOTA"] < 0.7
    for row in scores["overall"]:
        parts = [by_name[row["association"], sequence] for sequence in ("MOT17-04", "MOT17-09")]
        assert row["FN"] == sum(part["FN"] for part in parts) and 0 < row["HOTA"] < 1
    for sequence, first, last in (("MOT17-04", 7, 10), ("MOT17-09", 8, 12)):
        text = read_mot(tmp_path / "texts" / "jde_compact" / "fused" / f"{sequence}.txt")
        assert {*text[:, 0]} == {*range(first, last + 1)} and text[:, 1].min() == 1


def test_a_choice_of_models_associations_and_sizes(mot17, capsys):
    chosen = ["--model", "compact", "--association", "byte", "byte", "--input_size", "640x352"]
    assert eval_mot17.main([str(mot17 / "train"), *chosen]) == 0
    assert [line.split()[1] for line in capsys.readouterr().out.splitlines()[1:]] == ["byte"] * 3
    for wrong, message in (
        (["--association", "magic"], "association must be one of"),
        (["--input_size", "big"], "input_size must be auto or"),
        (["--model", "compact", str(COMPACT)], "two of the models have the same name"),
    ):
        assert eval_mot17.main([str(mot17), *wrong]) == 1
        assert message in capsys.readouterr().err


def test_every_bundled_model_is_one_of_the_table():
    assert eval_mot17.bundled_models() == [str(file.parent) for file in [COMPACT / "infer_cfg.yml"]]


def test_images_that_end_before_the_half_are_told(mot17, tmp_path, capsys):
    folder = shutil.copytree(mot17 / "train" / "MOT17-04-SDP", tmp_path / "train" / "MOT17-04-SDP")
    for number in range(7, 11):
        (folder / "img1" / f"{number:06}.jpg").unlink()
    assert eval_mot17.main([str(tmp_path), "--association", "byte"]) == 1
    assert "has no image from frame 7 on" in capsys.readouterr().err.splitlines()[-1]
    assert np.isfinite(find_halves(tmp_path)[0].gt).all()
