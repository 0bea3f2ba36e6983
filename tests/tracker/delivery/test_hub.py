"""The hub hands events on in order, fills in what a producer leaves out, and closes within its patience."""

import logging
import threading
import time
from datetime import datetime

import pytest

from tests.tracker.delivery.receivers import made_event
from tracker.delivery.hub import EventHub
from tracker.delivery.sender import Sender
from tracker.errors import OptionError, OutputError
from tracker.settings.groups.delivery import DeliveryOptions


class Kept(Sender):
    """Keeps what it gets, once it is let go."""

    name = "kept"

    def __init__(self, limit=1000, free=True, works=True):
        super().__init__("a receiver", limit)
        self.events, self.free, self.works = [], threading.Event(), works
        if free:
            self.free.set()

    def deliver(self, event):
        self.free.wait()
        if self.works:
            self.events.append(event)
        return self.works


def numbers(kept):
    return [event["id"] for event in kept.events]


def test_what_many_threads_tell_comes_to_all_outlets_in_one_order():
    outlets = [Kept(), Kept()]
    with EventHub(outlets) as hub:
        threads = [
            threading.Thread(target=lambda first=first: [hub.tell(made_event(first + n)) for n in range(50)])
            for first in (1000, 2000, 3000)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert numbers(outlets[0]) == numbers(outlets[1]) and len(outlets[0].events) == 150
    for first in (1000, 2000, 3000):
        assert [n for n in numbers(outlets[0]) if first <= n < first + 50] == list(range(first, first + 50))
    assert hub.totals()["kept"] == {"sent": 150, "lost": 0}


def test_a_producer_may_leave_out_time_camera_and_schema():
    heard = []
    hub = EventHub()
    assert not hub.wanted
    hub.listen(heard.append)
    hub.tell({"event": "stream_lost"})  # nobody listens yet
    with hub:
        hub.begin("street")
        hub.tell({"event": "stream_back", "seconds": 12.4, "gap": 3.1})
        hub.tell(made_event(1))
    hub.tell(made_event(2))  # nor any more
    back, whole = heard
    assert list(back) == ["event", "time", "seconds", "gap", "camera", "schema"]
    assert back["camera"] == "street" and datetime.fromisoformat(back["time"]).tzinfo and back["schema"] == 1
    assert list(whole) == list(made_event(1)) and whole == made_event(1)


def test_of_a_full_queue_the_oldest_are_lost_and_counted(caplog):
    kept = Kept(limit=5, free=False)
    with EventHub([kept]) as hub:
        hub.tell(made_event(0))
        while kept._queue:  # until the thread has the first one in its hands
            time.sleep(0.001)
        for number in range(1, 21):
            hub.tell(made_event(number))
        assert hub.totals()["kept"] == {"sent": 0, "lost": 15}
        kept.free.set()
    assert numbers(kept) == [0, 16, 17, 18, 19, 20]
    assert hub.totals()["kept"] == {"sent": 6, "lost": 15}
    assert [record.getMessage() for record in caplog.records] == ["a receiver: 15 of 21 events were lost"]


def test_the_end_waits_no_longer_than_its_patience():
    stuck, kept = Kept(free=False), Kept()
    hub = EventHub([stuck, kept])
    hub.open()
    for number in range(10):
        hub.tell(made_event(number))
    hub.close(patience=0.2)
    assert hub.totals() == {"kept": {"sent": 10, "lost": 0}}  # of one name, the last one
    assert stuck.totals() == {"sent": 0, "lost": 10}
    stuck.free.set()
    stuck._thread.join(5)
    assert not stuck._thread.is_alive() and stuck.totals() == {"sent": 0, "lost": 10}


def test_at_the_end_the_first_failure_is_the_last_try():
    kept = Kept(free=False, works=False)
    hub = EventHub([kept])
    hub.open()
    for number in range(1000):
        hub.tell(made_event(number))
    threading.Timer(0.1, kept.free.set).start()
    hub.close()
    assert kept.totals() == {"sent": 0, "lost": 1000} and kept.events == []


def test_an_outlet_that_cannot_be_opened_closes_the_others(tmp_path):
    class Refusing(Kept):
        def open(self):
            raise OutputError("no")

    kept = Kept()
    with pytest.raises(OutputError, match="no"), EventHub([kept, Refusing()]):
        raise AssertionError
    kept._thread.join(5)
    assert not kept._thread.is_alive()


def test_a_cooldown_tells_a_kind_once_at_a_place():
    kept = Kept()
    counted = []
    kept.count = counted.append

    def crowd(seconds, zone, camera="a"):
        return {"event": "crowd", "time": None, "seconds": seconds, "camera": camera, "zone": zone, "people": 9}

    with EventHub([kept], {"crowd": 10.0}) as hub:
        told = [
            (0.0, "till"),
            (1.0, "door"),
            (9.9, "till"),
            (10.0, "till"),
            (15.0, "till"),
            (3.0, "till"),
            (4.0, "till"),
        ]
        for seconds, zone in told:
            hub.tell(crowd(seconds, zone))
        hub.tell({**made_event(1), "seconds": 3.5})
    assert [event["seconds"] for event in kept.events] == [0.0, 1.0, 10.0, 3.0, 3.5]  # a clock set back tells again
    assert len(counted) == 8


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"webhook": "ftp://user:hidden@host/x"}, "http|https://HOST/PATH"),
        ({"webhook": "http://user:hidden@/x"}, "http|https://HOST/PATH"),
        ({"webhook": "http://user:hidden@host:port/"}, "http|https://HOST/PATH"),
        ({"webhook": 7}, "http|https://HOST/PATH"),
        ({"webhook_secret_file": "secret"}, "give webhook too"),
        ({"events": ""}, "path of a file"),
        ({"cooldown": "crowd"}, "crowd=60"),
        ({"cooldown": "crowds=60"}, "known are appeared"),
        ({"cooldown": "crowd=-1"}, "at least 0"),
        ({"cooldown": ""}, "crowd=60"),
    ],
)
def test_options_that_are_refused(options, words):
    with pytest.raises(OptionError) as caught:
        DeliveryOptions(**options)
    message = str(caught.value)
    assert words in message and "hidden" not in message and "\n" not in message


def test_the_options_show_no_password():
    assert "hidden" not in repr(DeliveryOptions(webhook="http://user:hidden@host/x"))


def test_a_secret_that_cannot_be_read(tmp_path, caplog):
    from tracker.delivery.outlets import make_hub

    caplog.set_level(logging.DEBUG)
    empty = tmp_path / "empty"
    empty.write_text("\n")
    for path, words in ((tmp_path / "none", "No such file"), (empty, "one secret")):
        with pytest.raises(OptionError, match=words):
            make_hub(DeliveryOptions(webhook="http://host/", webhook_secret_file=str(path)))
