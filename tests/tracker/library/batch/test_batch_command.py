"""``hub run NAME batch``: the installed module, whose package PaddleHub has imported under a name of its own."""

import json


def test_the_module_tracks_many_videos(command, clip, tmp_path):
    missing = tmp_path / "missing.mp4"
    assert command("batch", clip, missing, "--json", "--save_embeddings", "--threads", "1") == 1
    assert command.err.splitlines()[-1] == "error: 1 of 2 videos failed"
    street, other = json.loads(command.out)["rows"]
    assert (street["name"], street["state"], street["frames"]) == ("street", "tracked", 5)
    assert (other["name"], other["state"]) == ("missing", "failed") and "does not exist" in other["error"]
    assert command.text.stat().st_size and command.video.exists()
    people = command.folder / "mot_results" / "street_people.npz"
    assert street["files"]["people"] == str(people) and people.exists()
    assert command("batch", clip, "--save_embeddings", "--threads", "1", "--resume") == 0
    assert [row.state for row in command.result.rows] == ["unchanged"]
    assert command("batch") == 1 and "there is no video" in command.err


def test_help_of_the_batch(command):
    assert command("batch", "--help") == 0
    for flag in ("--list", "--jobs", "--resume", "--ray", "--parts", "--visualization", "--scene", "--webhook"):
        assert f"{flag} " in command.out or f"{flag}]" in command.out
    assert "--from_device" not in command.out and "--video_stream" not in command.out
