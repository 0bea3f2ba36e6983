"""What the association fused reaches on recorded detections with ground truth, set as config/tracker.yml says."""

import tarfile

import pytest

from tests.helpers.paths import ROOT, SHARED
from tracker.evaluation.mot_metrics import evaluate
from tracker.evaluation.stored_detections import read_detections, run_association
from tracker.settings.tracking import TrackerConfig

DATA = SHARED / "data"
SETTINGS = ROOT / "config" / "tracker.yml"


def ground_truth(sequence, folder):
    """A file of the sequence's true boxes: MOT15's in its archive, that of PETS unpacked."""
    unpacked, archive = DATA / "pets09_s2l1" / "gt.txt", DATA / "mot15_train.tar"
    source = unpacked if sequence == "PETS09-S2L1" else archive
    if not source.exists():
        pytest.skip(f"{source} is not here")
    if source == unpacked:
        return unpacked
    path = folder / "gt.txt"
    with tarfile.open(archive) as tar:
        path.write_bytes(tar.extractfile(f"mot15/{sequence}/gt/gt.txt").read())
    return path


@pytest.mark.parametrize(
    ("sequence", "frame_rate", "idf1", "mota"),
    [  # measured IDF1 and MOTA; the bounds leave room for changes that help elsewhere
        pytest.param("PETS09-S2L1", 10.0, 0.82, 0.835, id="PETS09-S2L1"),  # .900 .846
        pytest.param("TUD-Stadtmitte", 25.0, 0.87, 0.78, id="TUD-Stadtmitte"),  # .896 .808
        pytest.param("TUD-Campus", 25.0, 0.72, 0.55, id="TUD-Campus"),  # .799 .638
        pytest.param("ETH-Sunnyday", 14.0, 0.85, 0.68, id="ETH-Sunnyday"),  # .859 .724
    ],
)
def test_recorded_detections_are_tracked_as_well_as_is_stated(sequence, frame_rate, idf1, mota, tmp_path):
    """One parameter set for all, and at most half the identity switches of the association of JDE."""
    detections = DATA / "detections" / f"{sequence}.npz"
    if not detections.exists():
        pytest.skip(f"{detections} is not here")
    gt, frames = ground_truth(sequence, tmp_path), read_detections(detections)
    config = TrackerConfig.load(SETTINGS).override({"conf_thres": 0.6})
    assert config.association == "fused"
    run_association(frames, config, frame_rate, tmp_path / "fused.txt")
    run_association(frames, config.override({"association": "jde"}), 30.0, tmp_path / "jde.txt")
    fused, jde = (evaluate(gt, tmp_path / f"{name}.txt") for name in ("fused", "jde"))
    assert fused["IDF1"] >= idf1 and fused["MOTA"] >= mota, fused
    assert fused["IDs"] <= jde["IDs"] / 2, (fused, jde)
