"""``track --sources`` as a user types it."""

import json
import signal
import subprocess
import sys
import time

from tests.helpers.hub import error_line
from tests.helpers.paths import CLIP, ROOT


def written(folder, *cameras):
    folder.mkdir(exist_ok=True)
    path = folder / "cameras.yml"
    path.write_text(json.dumps({"cameras": [{"name": name, "source": str(source)} for name, source in cameras]}))
    return path


def test_two_cameras(command, clip, tmp_path):
    assert command("track", "--sources", written(tmp_path, ("a", clip), ("b", clip)), "--visualization", "no") == 0
    texts = [(command.folder / "mot_results" / f"{name}.txt").read_bytes() for name in "ab"]
    assert texts[0] == texts[1] != b"" and command.err == ""
    assert str(command.result).splitlines()[0].startswith("camera  frames  frames/s")
    assert [(one.name, one.result.frames) for one in command.result.cameras] == [("a", 5), ("b", 5)]


def test_one_that_fails_is_told_last_and_makes_the_exit_code_1(command, clip, tmp_path):
    sources = written(tmp_path, ("gone", tmp_path / "gone.mp4"), ("here", clip))
    assert command("--sources", sources, "--visualization", "no", "--json") == 1
    gone, here = json.loads(command.out)["cameras"]
    assert gone["error"].endswith("does not exist: check the path") and gone["result"] is None
    assert here["error"] is None and here["result"]["frames"] == 5
    assert error_line(command.err) == "error: 1 of 2 cameras failed: gone"
    assert command("--sources", sources, "--visualization", "no") == 1
    assert "does not exist: check the path" in command.out.splitlines()[1]


def test_wrong_usage(command, clip, tmp_path):
    sources = written(tmp_path, ("a", clip))
    assert command("--sources", sources, clip) == 2 and "or --sources FILE" in command.err
    assert command("--sources", tmp_path / "no.yml") == 1
    assert error_line(command.err) == f"error: cannot read {tmp_path}/no.yml: No such file or directory"
    sources.write_text("cameras: [{name: a, source: b, options: {split: soon}}]")
    assert command("--sources", sources) == 1
    assert error_line(command.err).startswith("error: camera a: split must be a duration such as 30s")


def test_ctrl_c_ends_all_in_order(tmp_path):
    sources, out = written(tmp_path, ("a", CLIP), ("b", CLIP), ("c", CLIP)), tmp_path / "out"
    words = ["track", "--sources", sources, "--model", "compact", "--output_dir", out, "--threads", "1", "--json"]
    with subprocess.Popen(
        [sys.executable, "-m", "tracker", *map(str, words)], cwd=ROOT, stdout=-1, stderr=-1, text=True
    ) as process:
        texts = [out / "mot_results" / f"{name}.txt" for name in "abc"]
        until = time.monotonic() + 60
        while not all(text.exists() and text.stat().st_size for text in texts):
            assert time.monotonic() < until and process.poll() is None
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        told, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert err.splitlines()[-1] == "interrupted: the files hold all finished frames" and "Traceback" not in err
    for text, one in zip(texts, json.loads(told)["cameras"]):
        rows = text.read_text()
        assert rows.endswith("\n") and one["error"] is None
        assert int(rows.splitlines()[-1].split(",")[0]) <= one["result"]["last_frame"] == one["result"]["frames"] < 300
        assert (out / "mot_outputs" / f"{text.stem}_vis.mp4").exists()
