"""Events and counts at a real broker, mosquitto on loopback, which goes away and comes back."""

import json
import logging
import sys

import pytest

from tests.helpers.fake_pipeline import numbered
from tests.helpers.videos import write_video
from tests.tracker.delivery.broker import Subscriber, broker, subscriber  # noqa: F401 (fixtures)
from tests.tracker.delivery.receivers import SCENE, Walker, made_event, numbers_of
from tracker.delivery.hub import EventHub
from tracker.delivery.outlets import make_hub
from tracker.errors import OptionError
from tracker.predictor import Predictor
from tracker.settings.groups.delivery import DeliveryOptions

PREFIX = "front/street"
QUICK = (0.05, 0.05)  # seconds between tries


@pytest.fixture(autouse=True)
def every_log(caplog):
    caplog.set_level(logging.DEBUG)


def outlet(url, **options):
    from tracker.delivery.mqtt import Mqtt

    return Mqtt(url, back_off=QUICK, **options)


def crossed(direction="in", line="door"):
    return {"event": "crossed", "time": None, "seconds": 1.0, "id": 1, "line": line, "direction": direction}


def zone(kind, number):
    return {"event": kind, "time": None, "seconds": 1.0, "id": number, "zone": "till"}


def test_a_run_tells_events_and_counts(broker, subscriber, tmp_path, caplog):  # noqa: F811
    clip = write_video(tmp_path / "street.mp4", numbered(20), rate=10)
    password = tmp_path / "password"
    password.write_text("hidden\n")
    result = Predictor(detector=Walker()).mot_predict(
        clip, tmp_path, visualization=False, scene=SCENE, mqtt=broker.address(user="camera@"),
        mqtt_password_file=str(password), mqtt_discovery=True,
    )  # fmt: skip
    subscriber.wait(lambda messages: (f"{PREFIX}/available", "offline", False) in messages)
    lines = (tmp_path / "answers" / "street" / "events.jsonl").read_text().splitlines()
    assert subscriber.of(f"{PREFIX}/events") == lines and result.delivery == {"mqtt": {"sent": len(lines), "lost": 0}}
    counted = sum(json.loads(line)["event"] == "crossed" for line in lines)
    newest = subscriber.newest()
    assert newest[f"{PREFIX}/line/door/on"] == str(counted) == "1" and newest[f"{PREFIX}/line/door/back"] == "0"
    assert subscriber.of(f"{PREFIX}/zone/till/people")[-1] in ("0", "1")
    assert "hidden" not in caplog.text


def retained(server, least):
    """What the broker tells who comes late, by topic: the newest messages, once there are so many that it has kept."""
    late = Subscriber(server, "late")
    late.wait(lambda messages: sum(kept for *_, kept in messages) >= least)
    newest = late.newest()
    late.close()
    return newest


def test_counts_are_retained_and_home_assistant_finds_them(broker, subscriber):  # noqa: F811
    with EventHub([outlet(broker.address(), discovery=True)]) as hub:
        hub.begin("Straße", {"door": ("in", "out"), "a/b+#": ("hin", "her")}, ["till"])
        for event in (crossed(), crossed(), crossed("out"), zone("entered", 1), zone("entered", 2), zone("left", 1)):
            hub.tell(event)
        hub.tell({"event": "still", "time": None, "seconds": 1.0, "id": 2})
        hub.tell(zone("entered", 3))
        hub.tell(crossed("her", "a/b+#"))
        subscriber.wait(lambda messages: sum(topic.endswith("/events") for topic, *_ in messages) == 9)
    newest = retained(broker, 11)
    assert {topic: text for topic, text in newest.items() if topic.startswith(PREFIX)} == {
        f"{PREFIX}/available": "offline",
        f"{PREFIX}/line/door/in": "2",
        f"{PREFIX}/line/door/out": "1",
        f"{PREFIX}/line/a_b__/hin": "0",
        f"{PREFIX}/line/a_b__/her": "1",
        f"{PREFIX}/zone/till/people": "1",
    }
    sensors = {topic: json.loads(text) for topic, text in newest.items() if topic.startswith("homeassistant/")}
    assert len(sensors) == 5
    for topic, sensor in sensors.items():
        assert topic == f"homeassistant/sensor/{sensor['unique_id']}/config"
        assert sensor["state_topic"] in newest and sensor["availability_topic"] == f"{PREFIX}/available"
        assert sensor["device"] == {"identifiers": ["front_street"], "name": "Straße", "model": "Pedestrian tracker"}
    by_name = {sensor["name"]: sensor for sensor in sensors.values()}
    assert by_name["door in"]["state_class"] == "total_increasing"
    assert by_name["people in till"]["state_class"] == "measurement"


def test_counts_of_a_scene_before_are_taken_from_the_broker(broker, subscriber):  # noqa: F811
    with EventHub([outlet(broker.address(), discovery=True)]) as hub:
        hub.begin("street", {"door": ("in", "out"), "gate": ("in", "out")}, ["till"])
        hub.tell(crossed())
        subscriber.wait(lambda messages: any(topic.endswith("/events") for topic, *_ in messages))
        hub.begin("street", {"gate": ("in", "out")}, ["yard"])
        hub.tell(crossed(line="gate"))
        hub.tell(crossed())  # of a line that there is no longer
        subscriber.wait(lambda messages: sum(topic.endswith("/events") for topic, *_ in messages) == 3)
    newest = retained(broker, 7)
    assert {topic: text for topic, text in newest.items() if topic.startswith(PREFIX)} == {
        f"{PREFIX}/available": "offline",
        f"{PREFIX}/line/gate/in": "1",
        f"{PREFIX}/line/gate/out": "0",
        f"{PREFIX}/zone/yard/people": "0",
    }
    sensors = [json.loads(text)["name"] for topic, text in newest.items() if topic.startswith("homeassistant/")]
    assert sorted(sensors) == ["gate in", "gate out", "people in yard"]


def test_cameras_that_share_a_broker_count_for_themselves(broker, subscriber):  # noqa: F811
    with EventHub([outlet(broker.address(), several=True)]) as hub:
        for camera in ("yard", "hall"):
            hub.begin(camera, {"door": ("in", "out")}, ["till"])
        for event in (crossed(), zone("entered", 1)):
            hub.tell({**event, "camera": "yard"})
            hub.tell({**event, "camera": "hall"})
        hub.tell({"event": "ended", "time": None, "seconds": 1.0, "camera": "hall", "id": 1})
        hub.tell({**crossed(), "camera": "hall"})
    subscriber.wait(lambda messages: (f"{PREFIX}/available", "offline", False) in messages)
    newest = subscriber.newest()
    assert [newest[f"{PREFIX}/{camera}/line/door/in"] for camera in ("yard", "hall")] == ["1", "2"]
    assert [newest[f"{PREFIX}/{camera}/zone/till/people"] for camera in ("yard", "hall")] == ["1", "0"]
    assert f"{PREFIX}/line/door/in" not in newest


def test_a_broker_that_is_away_for_a_while(broker, subscriber, caplog):  # noqa: F811
    """Tries come every twentieth of a second here, so a second is a minute of them."""
    with EventHub([outlet(broker.address(), limit=50)]) as hub:
        hub.begin("street", {"door": ("in", "out")}, [])
        for number in range(10):
            hub.tell(made_event(number))
        subscriber.wait(lambda messages: sum(topic.endswith("/events") for topic, *_ in messages) == 10)
        broker.stop()
        for number in range(10, 100):
            hub.tell(made_event(number))
            hub.tell(crossed())
        assert hub.totals()["mqtt"]["lost"] >= 129  # of 180 events, 50 wait and one may be in hand
        broker.start()
        subscriber.wait(lambda messages: '"id": 99,' in messages[-2][1] and "crossed" in messages[-1][1])
        assert subscriber.newest()[f"{PREFIX}/line/door/in"] == "90"
        hub.tell(made_event(100))
    totals = hub.totals()["mqtt"]
    subscriber.wait(lambda messages: messages[-1][:2] == (f"{PREFIX}/available", "offline"))
    events = [text for text in subscriber.of(f"{PREFIX}/events") if "appeared" in text]
    came = numbers_of(events)
    assert came == sorted(set(came)) and came[:10] == list(range(10)) and came[-26:] == list(range(75, 101))
    assert totals["sent"] == len(subscriber.of(f"{PREFIX}/events")) and totals["sent"] + totals["lost"] == 191
    assert "hidden" not in caplog.text
    told = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(told) == 2 and told[0].startswith(f"mqtt://127.0.0.1:{broker.port}: the connection is lost")
    assert told[1] == f"mqtt://127.0.0.1:{broker.port}: {totals['lost']} of 191 events were lost"


def test_the_broker_says_that_a_run_died(broker, subscriber):  # noqa: F811
    made = outlet(broker.address())
    hub = EventHub([made])
    hub.open()
    subscriber.wait(lambda messages: messages[-1:] == [(f"{PREFIX}/available", "online", False)])
    made._client._sock.close()  # as the end of a process does
    subscriber.wait(lambda messages: (f"{PREFIX}/available", "offline", False) in messages)
    hub.close(patience=0)


@pytest.mark.parametrize("user", ["", "camera:wrong-one@"])
def test_a_broker_that_refuses(broker, user, caplog):  # noqa: F811
    with EventHub([outlet(broker.address(user=user))]) as hub:
        hub.tell(made_event(1))
    assert hub.totals() == {"mqtt": {"sent": 0, "lost": 1}}
    assert "the broker refuses the connection (Not authorized)" in caplog.text and "wrong-one" not in caplog.text


def test_no_broker_at_all_costs_the_run_nothing(broker, tmp_path, caplog):  # noqa: F811
    broker.stop()
    clip = write_video(tmp_path / "street.mp4", numbered(20), rate=10)
    result = Predictor(detector=Walker()).mot_predict(clip, tmp_path, visualization=False, mqtt=broker.address())
    assert result.frames == 20 and result.delivery == {"mqtt": {"sent": 0, "lost": 1}}
    assert "no connection" in caplog.text and "hidden" not in caplog.text


def test_without_paho_one_sentence_tells_what_to_do(monkeypatch):
    monkeypatch.setitem(sys.modules, "tracker.delivery.mqtt", None)
    with pytest.raises(OptionError, match=r"mqtt needs the package paho-mqtt: pip install -r requirements-mqtt\.txt"):
        make_hub(DeliveryOptions(mqtt="mqtt://host"))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"mqtt": "http://user:hidden@host"}, "mqtt|mqtts://USER@HOST/PREFIX"),
        ({"mqtt": "mqtt://user:hidden@host/a/#"}, "must be a topic"),
        ({"mqtt": "mqtt://host/a%00b"}, "must be a topic"),
        ({"mqtt_discovery": True}, "give mqtt too"),
        ({"mqtt": "mqtt://host", "mqtt_password_file": "x"}, "mqtt://USER@HOST"),
        ({"mqtt": "mqtt://user:hidden@host", "mqtt_password_file": "x"}, "has a password already"),
    ],
)
def test_options_that_are_refused(options, words):
    with pytest.raises(OptionError) as caught:
        DeliveryOptions(**options)
    assert words in str(caught.value) and "hidden" not in str(caught.value)
