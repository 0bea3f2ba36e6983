"""Events of whole runs: those of events.jsonl, by every way, checked against the schema."""

import json
import signal
import sys
from types import SimpleNamespace

import pytest

from tests.helpers.fake_pipeline import FakeDetector, numbered
from tests.helpers.paths import ROOT
from tests.helpers.videos import write_video
from tests.tracker.delivery.receivers import SCENE, Walker, check_event, receiving
from tracker.command import print_result, run_command
from tracker.delivery.webhook import Webhook
from tracker.errors import OptionError, OutputError
from tracker.pipeline.interrupts import result_of
from tracker.predictor import Predictor
from tracker.settings.groups.delivery import EVENT_KINDS


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return write_video(tmp_path_factory.mktemp("clip") / "street.mp4", numbered(20), rate=10)


def lines_of(path):
    return path.read_text("utf-8").splitlines()


def test_events_go_to_file_and_webhook_as_events_jsonl_has_them(clip, tmp_path):
    path = tmp_path / "all.jsonl"
    secret = tmp_path / "secret"
    secret.write_text("a secret\n")
    with receiving() as server:
        result = Predictor(detector=Walker()).mot_predict(
            clip, tmp_path, visualization=False, scene=SCENE, start="2026-11-27T09:00:00+01:00", events=str(path),
            webhook=f"http://127.0.0.1:{server.server_port}/", webhook_secret_file=str(secret),
        )  # fmt: skip
    lines = lines_of(tmp_path / "answers" / "street" / "events.jsonl")
    assert lines_of(path) == lines == [body.decode() for body in server.bodies]
    assert all("X-Signature" in headers for headers in server.headers)
    assert result.delivery == {name: {"sent": len(lines), "lost": 0} for name in ("events", "webhook")}
    assert f"events: {len(lines)} sent" in str(result)
    events = [json.loads(line) for line in lines]
    assert {"appeared", "entered", "crossed"} <= {event["event"] for event in events}
    for event in events:
        check_event(event)


def test_without_a_scene_people_appear_and_end(clip, tmp_path):
    path = tmp_path / "all.jsonl"

    class Passing(FakeDetector):
        def embed(self, decoded, raw_outputs, preprocessed, min_score):
            found = super().embed(decoded, raw_outputs, preprocessed, min_score)
            return found if preprocessed < 10 else type(found).empty(1)

    frames = numbered(12)
    film = write_video(tmp_path / "street.mp4", [*frames, *frames[-1:] * 30, *frames], rate=10)
    Predictor(detector=Passing()).mot_predict(film, tmp_path, visualization=False, events=str(path))
    events = [json.loads(line) for line in lines_of(path)]
    assert [event["event"] for event in events] == ["appeared", "ended", "appeared"]
    assert [event["frame"] for event in events if event["event"] == "appeared"] == [1, 44]  # confirmed
    for event in events:
        check_event(event)
    assert not (tmp_path / "answers").exists()


@pytest.mark.parametrize("options", [{}, {"scene": SCENE}, {"scene": SCENE, "split": "1s"}])
def test_a_sink_that_listens_is_told_them_too(options, clip, tmp_path):
    path, told = tmp_path / "all.jsonl", []
    sink = SimpleNamespace(open=lambda _: None, write=lambda *_: None, close=dict, on_event=told.append)
    run = Predictor(detector=Walker()).mot_predict
    run(clip, tmp_path, visualization=False, sinks=[sink], events=str(path), **options)
    assert told == [json.loads(line) for line in lines_of(path)] and told
    alone, told[:] = [event for event in told if event["event"] != "segment"], []
    run(clip, tmp_path / "alone", visualization=False, sinks=[sink], **options)
    assert [event for event in told if event["event"] != "segment"] == alone


def test_a_stream_of_images_tells_events_too(tmp_path):
    path = tmp_path / "all.jsonl"
    with Predictor(detector=Walker()).stream_mode(None, name="door", events=str(path)) as stream:
        stream.predict(numbered(3))
        with pytest.raises(OutputError, match="another run writes"):
            Predictor(detector=Walker()).stream_mode(None, events=str(path))
    (event,) = map(json.loads, lines_of(path))
    assert (event["event"], event["camera"]) == ("appeared", "door")
    assert stream.result().delivery == {"events": {"sent": 1, "lost": 0}}


def test_a_private_run_tells_nobody(clip, tmp_path):
    for option in ({"events": "x.jsonl"}, {"webhook": "http://host/"}):
        with pytest.raises(OptionError, match="private tells nobody"):
            Predictor(detector=Walker()).mot_predict(clip, tmp_path, scene=SCENE, private=True, **option)
    assert list(tmp_path.iterdir()) == []


def test_an_events_file_that_cannot_be_written_is_told_before_anything_is_made(clip, tmp_path):
    (tmp_path / "notes").write_text("mine")
    with pytest.raises(OutputError, match="no file of events"):
        Predictor(detector=Walker()).mot_predict(clip, tmp_path / "out", events=str(tmp_path / "notes"))
    assert (tmp_path / "notes").read_text() == "mine" and not (tmp_path / "out").exists()


@pytest.mark.parametrize("as_json", [True, False])
def test_standard_output_has_events_alone(clip, tmp_path, capfd, monkeypatch, as_json):
    words = [str(clip), "--output_dir", str(tmp_path), "--visualization", "False", "--events", "-"]
    standard_output = sys.stdout
    try:
        result = run_command(Predictor(detector=Walker()), "tracker", [*words, *(["--json"] if as_json else [])])
        print_result(result)  # as PaddleHub prints it, by print
    finally:
        monkeypatch.setattr(sys, "stdout", standard_output)
    out, err = capfd.readouterr()
    events = [json.loads(line) for line in out.splitlines()]
    assert [event["event"] for event in events] == ["appeared"] and not out.endswith("\n\n")
    assert ('"frames": 20' in err) if as_json else ("street: 20 frames" in err)


def test_after_a_signal_standard_output_has_events_alone(clip, tmp_path, capfd, monkeypatch):
    detector = Walker(lambda frame: signal.raise_signal(signal.SIGINT) if frame == 5 else None)
    words = [str(clip), "--output_dir", str(tmp_path), "--visualization", "False", "--events", "-", "--json"]
    standard_output = sys.stdout
    try:
        with pytest.raises(SystemExit):
            run_command(Predictor(detector=detector), "tracker", words)
    finally:
        monkeypatch.setattr(sys, "stdout", standard_output)
    out, err = capfd.readouterr()
    assert [json.loads(line)["event"] for line in out.splitlines()] == ["appeared"]
    assert json.loads(err.splitlines()[0])["delivery"] == {"events": {"sent": 1, "lost": 0}}


def test_a_receiver_that_is_away_costs_the_run_nothing_but_the_events(clip, tmp_path, caplog):
    with receiving() as server:
        port = server.server_port
    result = Predictor(detector=Walker()).mot_predict(
        clip, tmp_path, visualization=False, scene=SCENE, webhook=f"http://user:hidden@127.0.0.1:{port}/hidden"
    )
    plain = Predictor(detector=Walker()).mot_predict(clip, tmp_path / "plain", visualization=False, scene=SCENE)
    assert result.text_path.read_bytes() == plain.text_path.read_bytes()
    lines = lines_of(tmp_path / "answers" / "street" / "events.jsonl")
    assert result.delivery == {"webhook": {"sent": 0, "lost": len(lines)}}
    assert f"webhook: 0 sent, {len(lines)} lost" in str(result) and "hidden" not in caplog.text + str(result)
    assert "hidden" not in (tmp_path / "mot_results" / "street_run.json").read_text()


def test_a_second_ctrl_c_ends_the_wait_at_once(clip, tmp_path, monkeypatch):
    """The receiver never answers; both signals come while the run waits for it at its end."""
    joined = []

    def hurry(self):
        joined.append(self)
        signal.raise_signal(signal.SIGINT)

    with receiving() as server:
        server.stalled.clear()
        monkeypatch.setattr(Webhook, "hurry", hurry)
        detector = Walker(lambda frame: signal.raise_signal(signal.SIGINT) if frame == 5 else None)
        with pytest.raises(KeyboardInterrupt) as caught:
            url = f"http://127.0.0.1:{server.server_port}/"
            Predictor(detector=detector).mot_predict(clip, tmp_path, visualization=False, webhook=url)
        server.stalled.set()
    assert len(joined) == 1 and result_of(caught.value) is None
    assert (tmp_path / "mot_results" / "street.txt").stat().st_size


def test_every_kind_is_in_the_schema():
    schema = json.loads((ROOT / "docs" / "events.schema.json").read_text())
    assert tuple(schema["properties"]["event"]["enum"]) == EVENT_KINDS


def test_events_of_the_other_producers_fit_the_schema():
    common = {"time": "2026-11-27T09:00:00.000+01:00", "seconds": None, "camera": "a", "schema": 1}
    more = {
        "recognised": {"id": 4, "was": 9, "is": 4, "similarity": 0.8},
        "stream_lost": {"reason": "no picture for 10 s"},
        "stream_back": {"gap": 12.5, "size": [640, 480]},
        "segment": {"segment": "street_20261127T100000", "files": {"text": "street_20261127T100000.txt"}},
    }
    for kind, fields in more.items():
        check_event({"event": kind, **common, **fields})


@pytest.mark.parametrize(
    "change",
    [{"event": "gone"}, {"schema": 2}, {"time": "9 o'clock"}, {"box": [1, 2, 3]}, {"id": 0}, {"frame": None}],
)
def test_the_schema_refuses_what_is_no_event(change):
    jsonschema = pytest.importorskip("jsonschema")
    event = {"event": "appeared", "time": None, "seconds": 0.0, "frame": 1, "camera": "a", "id": 1}
    event |= {"box": [1.0, 2.0, 3.0, 4.0], "score": 0.5, "schema": 1}
    check_event(event)
    with pytest.raises(jsonschema.ValidationError):
        check_event(event | change)
