"""Events posted to a real HTTP server on loopback, which is down, slow, lying or leading elsewhere."""

import hashlib
import hmac
import json
import logging
import re
import time

import pytest

from tests.helpers.paths import ROOT
from tests.tracker.delivery.receivers import made_event, numbers_of, receiving
from tracker.delivery.hub import EventHub
from tracker.delivery.webhook import PAUSES, Webhook

SECRET = b"a secret"


@pytest.fixture(autouse=True)
def every_log(caplog, monkeypatch):
    caplog.set_level(logging.DEBUG)
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


def address(server, rest="events"):
    return f"http://user:hidden@127.0.0.1:{server.server_port}/{rest}"


def warnings(caplog):
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


def test_posts_are_json_in_order_and_signed(caplog):
    with receiving() as server, EventHub([Webhook(address(server), SECRET)]) as hub:
        for number in range(100):
            hub.tell(made_event(number))
        server.wait(100)
    assert numbers_of(server.bodies) == list(range(100)) and hub.totals()["webhook"] == {"sent": 100, "lost": 0}
    assert json.loads(server.bodies[7]) == made_event(7)
    for body, headers in zip(server.bodies, server.headers):
        assert headers["X-Signature"] == "sha256=" + hmac.new(SECRET, body, hashlib.sha256).hexdigest()
        assert headers["Content-Type"] == "application/json" and headers["Authorization"].startswith("Basic ")
    assert "hidden" not in caplog.text and SECRET.decode() not in caplog.text and warnings(caplog) == []


def test_the_check_in_the_documentation_accepts_this_signature_and_no_other():
    page = (ROOT / "docs" / "events.md").read_text()
    (block,) = [code for code in re.findall(r"```python\n(.*?)```", page, re.DOTALL) if "X-Signature" in code]
    assert len(re.findall(r"^.+$", block, re.MULTILINE)) <= 6
    with receiving() as server, EventHub([Webhook(address(server), SECRET)]) as hub:
        hub.tell(made_event(1))
        server.wait(1)
    checking = {}
    exec(block, checking)
    assert checking["is_genuine"](server.bodies[0], server.headers[0], SECRET)
    assert not checking["is_genuine"](server.bodies[0] + b" ", server.headers[0], SECRET)
    assert not checking["is_genuine"](server.bodies[0], server.headers[0], b"another")
    assert not checking["is_genuine"](server.bodies[0], {}, SECRET)


def test_an_event_is_tried_again_after_1_4_and_16_seconds_and_lost_then(caplog, monkeypatch):
    waited = []
    monkeypatch.setattr(Webhook, "pause", lambda self, seconds: waited.append(seconds) or True)
    with receiving() as server, EventHub([Webhook(address(server))]) as hub:
        server.statuses = [500, 503, 404, 429, 500, 200]
        for number in range(3):
            hub.tell(made_event(number))
        server.wait(2)
    assert numbers_of(server.bodies) == [1, 2] and hub.totals()["webhook"] == {"sent": 2, "lost": 1}
    assert tuple(waited) == (*PAUSES, PAUSES[0]) and PAUSES == (1, 4, 16)
    assert warnings(caplog) == [
        f"webhook http://127.0.0.1:{server.server_port}: it answers 500; what happens meanwhile is kept, up to 1000 "
        "events",
        f"webhook http://127.0.0.1:{server.server_port}: 1 of 3 events were lost",
    ]


def test_a_receiver_that_is_down_for_a_while(caplog):
    """Seconds of the real pauses are hundredths here: the receiver is away for 60 of them."""
    with receiving() as server:
        port = server.server_port
    hub = EventHub([Webhook(address(server), pauses=[pause / 100 for pause in PAUSES], limit=40)])
    with hub:
        began, number = time.monotonic(), 0
        while time.monotonic() - began < 0.6:
            hub.tell(made_event(number))
            number += 1
            time.sleep(0.01)
        lost_before = hub.totals()["webhook"]["lost"]
        with receiving(port) as server:
            hub.tell(made_event(number))
            last = b'"id": %d,' % number
            while not any(last in body for body in server.bodies):
                time.sleep(0.005)
    came = numbers_of(server.bodies)
    assert came == sorted(set(came)) and came[-1] == number
    assert hub.totals()["webhook"] == {"sent": len(came), "lost": number + 1 - len(came)}
    assert 0 < lost_before <= number + 1 - len(came)
    assert "hidden" not in caplog.text
    assert warnings(caplog)[-1].endswith(f"{number + 1 - len(came)} of {number + 1} events were lost")


def test_a_receiver_that_does_not_answer_holds_nobody_up():
    with receiving() as server:
        server.stalled.clear()
        hub = EventHub([Webhook(address(server))])
        hub.open()
        for number in range(2000):
            hub.tell(made_event(number))
        hub.close(patience=0.1)
        assert hub.totals()["webhook"] == {"sent": 0, "lost": 2000}
        server.stalled.set()


@pytest.mark.parametrize("status", [301, 307])
def test_redirects_are_not_followed(status, caplog):
    with receiving() as server, receiving() as other:
        server.statuses, server.leads_to = [status] * 5, address(other, "?token=hidden")
        with EventHub([Webhook(address(server), pauses=())]) as hub:
            hub.tell(made_event(1))
            while server.statuses == [status] * 5:
                time.sleep(0.005)
    assert other.tries == 0 and hub.totals()["webhook"] == {"sent": 0, "lost": 1}
    assert "redirect, which is not followed" in warnings(caplog)[0] and "hidden" not in caplog.text
