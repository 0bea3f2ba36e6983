"""The script that compares with other packages' trackers, run with this project's own in their place."""

import subprocess
import sys

import numpy as np

from tests.helpers.paths import ROOT

FOLDER = ROOT / "tools" / "comparison"


def run_script(name, *arguments):
    command = [sys.executable, str(FOLDER / name), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


def test_associations_tracks_stored_detections(tmp_path):
    frames = np.arange(1, 21)
    one = np.stack([frames, 50 + 4 * frames, np.full(20, 30), np.full(20, 40), np.full(20, 100), np.full(20, 0.9)], 1)
    other = one + np.array([0, 200, 0, 0, 0, 0])
    np.savez(tmp_path / "two.npz", detections=np.concatenate([one, other]).astype(np.float32))
    text = tmp_path / "two.txt"
    files = ("--detections", tmp_path / "two.npz", "--output", text)
    done = run_script("associations.py", "--tracker", "tracker:byte", *files, "--frame_rate", 10)
    assert done.returncode == 0 and done.stdout.startswith("tracker:byte: 20 frames, "), done.stderr
    rows = np.loadtxt(text, delimiter=",")
    assert sorted({*rows[:, 1]}) == [1, 2] and len(rows) >= 38
    last = rows[rows[:, 0] == 20]
    assert np.allclose(np.sort(last[:, 2]), [130, 330], atol=2) and np.allclose(last[:, 4:6], [40, 100], atol=2)


def test_an_unknown_package_is_refused(tmp_path):
    done = run_script("associations.py", "--tracker", "unknown:X", "--detections", "a.npz", "--output", tmp_path / "a")
    assert done.returncode == 2 and "unknown" in done.stderr.splitlines()[-1]
