"""Forward passes in turns: as many as there are places, who waited longest first."""

import threading

import pytest

from tracker.cameras.turns import TurnDetector, Turns


class Network:
    """Forward passes that end when they are told to; notes whose are under way."""

    max_in_flight = 4
    name = "network"

    def __init__(self):
        self.running, self.order, self.most = set(), [], 0
        self.changed = threading.Condition()
        self.may_end = threading.Semaphore(0)

    def start(self, who):
        with self.changed:
            self.running.add(who)
            self.order.append(who)
            self.most = max(self.most, len(self.running))
            self.changed.notify_all()
        if who == "fails":
            self.running.discard(who)
            raise ValueError(who)

        def wait():
            assert self.may_end.acquire(timeout=10)
            with self.changed:
                self.running.discard(who)
            return who

        return wait


def waiting(turns, count):
    """Whether so many wait for a turn, once they do."""
    with turns._changed:
        return turns._changed.wait_for(lambda: len(turns._waiting) == count, 10)


@pytest.mark.parametrize("places", [1, 2])
def test_who_waited_longest_is_next(places):
    network, turns = Network(), Turns(places)
    threads = []
    for number in range(6):
        detector = TurnDetector(network, turns)
        threads.append(threading.Thread(target=lambda who=number, what=detector: what.start(who)()))
        threads[-1].start()
        assert waiting(turns, max(0, number + 1 - places))
    for _ in threads:
        network.may_end.release()
    for thread in threads:
        thread.join(10)
    assert network.order == [*range(6)] and network.most == places


def test_a_pass_that_fails_gives_its_place_back():
    network = Network()
    detector = TurnDetector(network, Turns(1))
    with pytest.raises(ValueError, match="fails"):
        detector.start("fails")
    network.may_end.release()
    assert detector.start("next")() == "next"
    assert (detector.max_in_flight, detector.name) == (1, "network")
