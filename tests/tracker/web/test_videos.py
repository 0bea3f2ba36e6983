"""Videos that visitors upload: what is taken, how they are tracked, what comes of them."""

import csv
import io
import json
import os

import av
import pytest
import yaml

from tests.helpers.fake_pipeline import numbered
from tests.helpers.videos import write_playlist, write_video
from tests.tracker.web.conftest import SCENE, video_page
from tracker.pipeline.analyse import analyse
from tracker.web.videos.containers import HEAD, is_video


@pytest.fixture
def page(tmp_path, walk):
    with video_page(tmp_path / "out", walk) as page:
        yield page


def kept(folder):
    """What a folder of videos has beside the list of them."""
    return {path.name for path in folder.iterdir() if not path.name.startswith("videos.sqlite")}


def test_a_video_is_tracked_and_shown(page, short_clip):
    taken = page.upload(short_clip)
    assert (taken["name"], taken["frames"], taken["width"], taken["height"]) == ("street.mp4", 10, 160, 96)
    video = page.wait(taken["id"])
    assert video["people"] == 1 and [one["id"] for one in video["timeline"]] == [1]
    assert video["timeline"][0]["last"] == pytest.approx(0.9) and video["timeline"][0]["color"].startswith("#")
    assert page.json("/api/videos")[0]["state"] == "done"
    assert {file["kind"] for file in video["files"]} >= {"video", "text", "people", "crossings", "report", "events"}
    path = f"/api/videos/{taken['id']}"
    assert page.ask(f"{path}/thumb.jpg").content[:2] == b"\xff\xd8"
    film = page.ask(f"{path}/files/video")
    with av.open(io.BytesIO(film.content)) as container:
        assert sum(1 for _ in container.decode(video=0)) == 10
    part = page.ask(f"{path}/files/video", headers={"Range": "bytes=10-19"})
    assert part.status_code == 206 and part.content == film.content[10:20]
    rows = list(csv.DictReader(page.ask(f"{path}/files/people").text.splitlines()))
    assert [row["id"] for row in rows] == ["1"]
    text = page.ask(f"{path}/files/text")
    assert text.headers["content-disposition"] == 'attachment; filename="street.txt"'
    assert len(text.text.splitlines()) == 10
    report = page.ask(f"{path}/files/report")
    assert "sandbox" in report.headers["content-security-policy"] and "<html" in report.text
    assert page.ask(f"{path}/files/report?download=1").headers["content-disposition"].startswith("attachment")
    assert page.ask(f"{path}/files/scene").status_code == 404  # none is drawn
    assert page.ask(f"{path}/files/..%2f..%2fvideos.sqlite").status_code in (404, 422)


def test_progress_and_the_queue(page, walk, short_clip):
    walk.go.clear()
    first, second = page.upload(short_clip), page.upload(short_clip)
    walk.begun.wait(20)
    assert page.json(f"/api/videos/{first['id']}")["state"] == "running"
    assert page.json(f"/api/videos/{second['id']}")["progress"] == {"place": 2}
    walk.go.set()
    assert page.wait(second["id"])["people"] == 1
    assert page.ask("/metrics").text.count('tracker_videos{state="done"} 2') == 1


def test_cancelling_a_run_and_one_that_waits(page, walk, short_clip, tmp_path):
    walk.go.clear()
    first, second = page.upload(short_clip), page.upload(short_clip)
    walk.begun.wait(20)
    assert page.json(f"/api/videos/{second['id']}/cancel", "POST")["state"] == "cancelled"
    page.json(f"/api/videos/{first['id']}/cancel", "POST")
    walk.go.set()
    assert page.wait(first["id"], "cancelled")["tracked"] is False
    page.json(f"/api/videos/{first['id']}/again", "POST")
    assert page.wait(first["id"])["people"] == 1
    assert page.ask(f"/api/videos/{first['id']}", "DELETE").status_code == 204
    assert page.ask(f"/api/videos/{first['id']}").status_code == 404
    assert not (tmp_path / "out" / first["id"]).exists() and (tmp_path / "out" / second["id"]).exists()


def test_a_video_that_is_removed_while_it_runs_leaves_nothing(page, walk, short_clip, tmp_path):
    walk.go.clear()
    video, other = page.upload(short_clip), page.upload(short_clip)
    walk.begun.wait(20)
    assert page.ask(f"/api/videos/{video['id']}", "DELETE").status_code == 204
    walk.go.set()
    page.wait(other["id"])
    assert kept(tmp_path / "out") == {other["id"]}


def test_videos_outlive_the_server(tmp_path, walk, short_clip):
    with video_page(tmp_path, walk) as page:
        done = page.upload(short_clip)
        page.wait(done["id"])
        walk.begun.clear()
        walk.go.clear()
        running, waiting = page.upload(short_clip, "b.mp4"), page.upload(short_clip, "c.mp4")
        walk.begun.wait(20)
        (tmp_path / "broken.part").write_bytes(b"an upload")
        walk.go.set()
        # the server ends amid the run
    with video_page(tmp_path, walk) as page:
        assert page.wait(running["id"])["people"] == page.wait(waiting["id"])["people"] == 1
        assert page.json(f"/api/videos/{done['id']}")["state"] == "done"
        assert [video["name"] for video in page.json("/api/videos")] == ["c.mp4", "b.mp4", "street.mp4"]
    assert not (tmp_path / "broken.part").exists()


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("../../etc/passwd.mp4", "passwd.mp4"),
        ("C:\\video\\street.mp4", "street.mp4"),
        ("..", "video"),
        ("/", "video"),
        ("a\nb\x00.mp4", "ab.mp4"),
        ("街道.mp4", "街道.mp4"),
        ("x" * 200, "x" * 120),
    ],
)
def test_names_are_never_paths(page, walk, short_clip, tmp_path, given, shown):
    walk.go.clear()
    video = page.upload(short_clip, given)
    assert video["name"] == shown
    assert kept(tmp_path / "out") == {video["id"]} and {path.name for path in tmp_path.iterdir()} == {"out"}


def test_ids_are_never_paths(page, tmp_path):
    (tmp_path / "out" / "secret").mkdir()
    (tmp_path / "out" / "secret" / "thumb.jpg").write_bytes(b"secret")
    for id in ("secret", "..", "%2e%2e", "..%2fout", "secret%00"):
        for path in (f"/api/videos/{id}", f"/api/videos/{id}/thumb.jpg", f"/api/easels/video:{id}"):
            answer = page.ask(path)
            assert answer.status_code in (400, 404) and "secret" not in answer.text.replace(id, "")


def test_what_is_no_video(page, short_clip, tmp_path):
    playlist = write_playlist(tmp_path / "list.m3u8", "/etc/passwd").read_bytes()
    whole = short_clip.read_bytes()
    for data in (
        b"",
        b"\x00",
        playlist,
        b"ffconcat version 1.0\nfile /etc/passwd\n",
        os.urandom(2000),
        b"<svg/>",
        b"RIFF0000WAVE" * 50,
    ):
        answer = page.upload(data, status=400)
        assert answer["error"].startswith("this is no video that can be read: give MP4")
    for data in (whole[:200], whole[:32] + bytes(500)):
        assert "no video that can be read" in page.upload(data, status=400)["error"]
    assert page.json("/api/videos") == [] and kept(tmp_path / "out") == set()


@pytest.mark.parametrize("suffix", ["mp4", "mov", "mkv", "avi", "ts", "flv", "wmv", "mpg"])
def test_containers_that_are_known(tmp_path, suffix):
    codec = {"avi": "mpeg4", "wmv": "mpeg4", "mpg": "mpeg2video"}.get(suffix, "libx264")
    path = write_video(tmp_path / f"a.{suffix}", numbered(12), rate=25, codec=codec)
    assert is_video(path.read_bytes()[:HEAD])


def test_limits(tmp_path, walk, short_clip):
    assert short_clip.stat().st_size > 1000
    with video_page(tmp_path / "a", walk, max_upload=0.001) as page:
        assert "megabytes" in page.upload(short_clip, status=413)["error"]
        chunks = page.ask("/api/videos?name=x", "POST", data=iter([short_clip.read_bytes()]))
        assert chunks.status_code == 413
    with video_page(tmp_path / "b", walk, max_length=0.5) as page:
        assert page.upload(short_clip, status=400)["error"] == "the video has 1 seconds, more than the 0.5 taken here"
    walk.go.clear()
    with video_page(tmp_path / "c", walk, max_queue=2) as page:
        page.upload(short_clip), page.upload(short_clip)
        assert "wait already" in page.upload(short_clip, status=429)["error"]
        walk.go.set()
    with video_page(tmp_path / "d", walk, max_videos=2) as page:
        ids = [page.upload(short_clip)["id"] for _ in range(1)]
        page.wait(ids[0])
        ids.append(page.upload(short_clip)["id"])
        page.wait(ids[1])
        ids.append(page.upload(short_clip)["id"])
        assert [video["id"] for video in page.json("/api/videos")] == [ids[2], ids[1]]


def test_a_video_that_understates_its_length_is_ended(tmp_path, walk, short_clip):
    with video_page(tmp_path, walk) as page:
        object.__setattr__(page.site.videos.limits, "max_length", 100.0)
        walk.go.clear()
        video = page.upload(short_clip)
        walk.begun.wait(20)
        page.site.videos._running[video["id"]]._limit = 0.35
        walk.go.set()
        assert "longer than the 0.35 seconds" in page.wait(video["id"], "failed")["error"]


def test_nothing_is_fetched_unless_that_is_allowed(tmp_path, walk, short_clip):
    import http.server
    import threading
    from functools import partial

    handler = partial(http.server.SimpleHTTPRequestHandler, directory=short_clip.parent)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_address[1]}/{short_clip.name}"
        given = {"address": address, "name": "a.mp4"}
        with video_page(tmp_path / "a", walk) as page:
            assert "fetches nothing" in page.json("/api/videos/fetch", "POST", 400, json=given)["error"]
        with video_page(tmp_path / "b", walk, allow_sources=True) as page:
            id = page.json("/api/videos/fetch", "POST", 201, json=given)["id"]
            assert page.wait(id)["people"] == 1
            for bad in ("file:///etc/passwd", "/etc/passwd", "rtsp://a/b", "http://a b"):
                assert page.ask("/api/videos/fetch", "POST", json={"address": bad, "name": "x"}).status_code == 400
            none = page.json("/api/videos/fetch", "POST", 201, json={"address": address + "x", "name": "x"})["id"]
            assert "404" in page.wait(none, "failed")["error"]
        server.shutdown()


def test_drawing_on_a_video_counts_as_analyse_does(page, short_clip, tmp_path):
    id = page.upload(short_clip)["id"]
    page.wait(id)
    easel = f"/api/easels/video:{id}"
    before = page.json(easel)
    assert before["scene"] == {} and before["tracked"] and before["span"] == pytest.approx(1)
    assert page.ask(f"{easel}/frame.jpg?at=0.5").content[:2] == b"\xff\xd8"
    line = {"lines": {"door": {"points": [[0.1, 1.0], [0.1, 0.0]], "in": "east", "out": "west"}}, **SCENE.zone}
    counts = page.json(f"{easel}/count", "POST", json=line)["counts"]
    answer = page.json(easel, "PUT", json=line)
    assert yaml.safe_load(answer["text"])["lines"] == line["lines"]
    assert page.json(easel)["scene"]["zones"] == {"till": {"points": SCENE.zone["zones"]["till"]["points"]}}
    text = tmp_path / "out" / id / "mot_results" / "video.txt"
    expected = analyse(text, line, output_dir=tmp_path / "again")
    assert counts["lines"] == expected.lines and counts["people"] == expected.people_seen
    # what was saved is answered anew in the files
    summary = json.loads((tmp_path / "out" / id / "answers" / "video" / "summary.json").read_text())
    assert summary["lines"] == expected.lines
    assert page.json(f"/api/videos/{id}")["counts"] == counts
    assert "door" in page.ask(f"/api/videos/{id}/files/scene").text
