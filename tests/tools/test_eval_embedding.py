"""The figures of embeddings against slow ones, boxes embedded as detections are, and the command line."""

import json
import math
import shutil

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers.fake_models import WHOLE, model_config
from tools.eval_embedding import Sample, main, measure, rank1, rank_auc, sampled_boxes
from tracker.detection.decode import Decoder
from tracker.detection.detector import Model
from tracker.models.locate import COMPACT
from tracker.settings.runtime import RuntimeOptions

# few different values, so that many are equal
VALUES = st.lists(st.sampled_from([-1.0, -0.5, 0.0, 0.25, 1.0]), max_size=12)


@pytest.fixture(scope="module")
def detector():
    return Model(COMPACT, RuntimeOptions(precision="fp32")).detector()  # whose figures the model card has


@settings(max_examples=50, deadline=None)
@given(high=VALUES, low=VALUES)
def test_auc_is_the_chance_that_the_higher_wins(high, low):
    auc = rank_auc(np.array(high), np.array(low))
    if not high or not low:
        assert math.isnan(auc)
        return
    wins = sum((a > b) + (a == b) / 2 for a in high for b in low)
    assert auc == pytest.approx(wins / len(high) / len(low))


PEOPLE = st.lists(st.tuples(st.integers(1, 5), st.integers(0, 7)), max_size=5, unique_by=lambda person: person[0])


@settings(max_examples=50, deadline=None)
@given(frames=st.lists(PEOPLE, min_size=1, max_size=5))
def test_pairs_are_those_of_different_frames(frames):
    boxes = [(frame, who, EMBEDDINGS[row]) for frame, people in enumerate(frames) for who, row in people]
    pairs = [(a, b) for a in boxes for b in boxes if a[0] < b[0]]
    same = [a[2] @ b[2] for a, b in pairs if a[1] == b[1]]
    different = [a[2] @ b[2] for a, b in pairs if a[1] != b[1]]
    scores = measure([sample(*people) for people in frames])
    assert (scores.boxes, scores.same, scores.different) == (len(boxes), len(same), len(different))
    if same and different:
        wins = sum((a > b) + (a == b) / 2 for a in same for b in different)
        assert scores.auc == pytest.approx(wins / len(same) / len(different))


# unit vectors whose products are exact: 1 less a half for each bit in which their numbers differ
EMBEDDINGS = np.array([[0.5, *(0.5 if number & bit else -0.5 for bit in (1, 2, 4))] for number in range(8)])


def sample(*people):
    """People as (id, row of EMBEDDINGS)."""
    return Sample(np.array([who for who, _ in people], np.int64), EMBEDDINGS[[row for _, row in people]].reshape(-1, 4))


def test_rank1_by_hand():
    samples = [
        sample((1, 0), (2, 2), (3, 4)),  # 1 and 3 are found, 2 resembles 4 by now
        sample((4, 2), (3, 4), (2, 6), (1, 0)),  # 4 and 2 are gone afterwards, 1 has the embedding of 5
        sample((5, 0), (1, 0), (3, 4)),
        sample(),  # nobody to be followed
        sample((1, 0)),
    ]
    count, share = rank1(samples)
    assert count == 5 and share == pytest.approx((2 + 1 / 2 + 1) / 5)
    assert rank1(samples[3:])[0] == 0 and math.isnan(rank1(samples[3:])[1])


def row(frame, who, size=(30, 60), flag=1, kind=-1, visibility=-1):
    return [frame, who, 5, 7, *size, flag, kind, visibility, -1]


def test_sampled_boxes_count_and_are_large_enough():
    gt = np.array(
        [
            row(1, 4, (16, 40)),
            row(1, 5, (15.9, 40)),
            row(1, 6, (16, 39.9)),
            row(1, 7, flag=0),
            row(2, 4),
            row(4, 5),
            row(7, 4, flag=0),
            row(9, 4),
        ],
        float,
    )
    taken = sampled_boxes(gt, every=3)
    assert {frame: ids.tolist() for frame, (ids, _) in taken.items()} == {1: [4], 4: [5], 7: []}
    assert taken[1][1].tolist() == [[5, 7, 21, 47]]


def test_given_boxes_are_embedded_like_detections(detector, clip_frames):
    for image in (clip_frames[0], clip_frames[20]):
        found = detector(image)
        assert len(found) > 3
        embedded = detector.embed_boxes(image, found.boxes)
        assert embedded.dtype == np.float32
        np.testing.assert_allclose(embedded, found.embeddings, atol=1e-5)
        np.testing.assert_allclose(
            detector.embed_boxes(image, found.boxes[[2, 0]]), found.embeddings[[2, 0]], atol=1e-5
        )
    assert detector.embed_boxes(image, np.zeros((0, 4))).shape == (0, 128)


@pytest.mark.parametrize(
    ("centre", "size", "expected"),
    [
        ((40, 40), (16, 16), (1, 2, 2)),  # the anchor of the finer level
        ((40, 40), (10, 20), (1, 2, 2)),
        ((40, 40), (30, 70), (0, 1, 1)),
        ((-20, 500), (60, 30), (0, 1, 0)),  # beyond the image: its nearest cell
        ((95.9, 31.9), (20, 40), (1, 1, 5)),  # a second anchor
    ],
)
def test_a_given_box_is_read_at_the_level_of_its_size(centre, size, expected):
    config = model_config([(32, [(32, 32), (32, 64)]), (16, [(16, 16), (20, 40)])], dimension=4)
    features = []
    for level, (height, width) in enumerate([(2, 3), (4, 6)]):
        y, x = np.mgrid[:height, :width]
        features.append(np.stack([np.full((height, width), level), y, x, np.full((height, width), 9)])[None])
    box = np.array([[*np.subtract(centre, np.divide(size, 2)), *np.add(centre, np.divide(size, 2))]])
    (found,) = Decoder(config).embed_boxes([None, None, *features], WHOLE, box, np.concatenate)
    np.testing.assert_allclose(found * 9 / found[3], [*expected, 9], atol=1e-5)
    assert np.linalg.norm(found) == pytest.approx(1)


@pytest.fixture(scope="module")
def sequence(tmp_path_factory, clip_frames, detector):
    """A picture of the clip that moves by some pixels, with its three best detections as ground truth."""
    folder = tmp_path_factory.mktemp("sequences") / "walk"
    (folder / "gt").mkdir(parents=True)
    (folder / "img1").mkdir()
    (folder / "seqinfo.ini").write_text("[Sequence]\nimDir=img1\nframeRate=10\nseqLength=3\n")
    lines = []
    image = clip_frames[20]
    boxes = detector(image).boxes[:3]
    for number, shift in enumerate((0, 5, 9), start=1):
        cv2.imwrite(str(folder / "img1" / f"{number:06}.png"), np.roll(image, shift, axis=1))
        for who, (left, top, right, bottom) in enumerate(boxes, start=1):
            lines.append(f"{number},{who},{left + shift},{top},{right - left},{bottom - top},1,-1,-1,-1\n")
    (folder / "gt" / "gt.txt").write_text("".join(lines))
    return folder


def test_command_line_prints_and_keeps_the_figures(sequence, tmp_path, capsys):
    target = tmp_path / "figures.json"
    small = ["--every", "1", "--min_width", "1", "--min_height", "1"]
    assert main(["--model", "compact", "--gt", str(sequence), *small, "--json", str(target)]) == 0
    figures = json.loads(target.read_text())["jde_compact"]
    assert figures["boxes"] == 9 and figures["same"] == 9 and figures["followed"] == 6
    assert figures["auc"] > 0.9 and figures["rank1"] > 0.9
    assert f"{figures['auc']:.3f}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--gt", "{folder}"], "give --model, --reid or both"),
        (["--model", "compact", "--gt", "{folder}/gt/gt.txt"], "--source"),
        (["--model", "compact", "--gt", "{folder}", "--every", "0"], "every must be a whole number"),
        (["--model", "compact", "--gt", "{folder}", "--min_height", "5000"], "no sampled frame has a box"),
        (["--reid", "{folder}/nothing.onnx", "--gt", "{folder}"], "nothing.onnx"),
    ],
)
def test_mistakes_cost_one_line(arguments, message, sequence, capsys):
    assert main([argument.format(folder=sequence) for argument in arguments]) == 1
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1


def test_another_video_is_noticed(sequence, tmp_path, capsys):
    other = shutil.copytree(sequence, tmp_path / "other")
    (other / "img1" / "000003.png").unlink()
    assert main(["--model", "compact", "--gt", str(other), "--every", "1", "--min_height", "1"]) == 1
    assert "lacks frame 3" in capsys.readouterr().err


def test_what_runs_the_model_can_be_chosen(sequence, capsys):
    assert main(["--model", "compact", "--gt", str(sequence), "--precision", "int4"]) == 1
    assert "precision must be one of auto, fp32, bf16, int8, not 'int4'" in capsys.readouterr().err
