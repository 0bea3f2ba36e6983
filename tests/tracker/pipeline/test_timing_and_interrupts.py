"""Times of stages, and Ctrl-C or SIGTERM as a wish to stop after the current frame."""

import signal
import subprocess
import sys
import textwrap
import threading
import time

import pytest

from tests.helpers.paths import ROOT
from tracker.pipeline.interrupts import SIGNALS, StopRequest, ending_in_order, result_of
from tracker.pipeline.timing import StageTimes


@pytest.fixture(autouse=True)
def default_handlers():
    """The handlers of a fresh Python, whatever libraries have set; afterwards as they were."""
    before = {number: signal.getsignal(number) for number in SIGNALS}
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    for number, handler in before.items():
        signal.signal(number, signal.SIG_DFL if handler is None else handler)


def handlers():
    return [signal.getsignal(number) for number in SIGNALS]


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    made = Clock()
    monkeypatch.setattr(time, "perf_counter", made)
    return made


def test_stages_add_up_in_the_order_they_first_ran(clock):
    times = StageTimes()
    for stage, seconds in [("read", 0.5), ("network", 2.0), ("read", 0.25), ("idle", 0.0)]:
        with times.stage(stage):
            clock.now += seconds
    assert list(times.seconds.items()) == [("read", 0.75), ("network", 2.0), ("idle", 0.0)]
    assert times.rates(3) == {"read": 4.0, "network": 1.5}  # a stage of no time has no rate


def test_a_stage_within_another_counts_for_itself_alone(clock):
    times = StageTimes()
    with times.stage("encode"):
        clock.now += 1
        for _ in range(2):
            with times.stage("draw"):
                clock.now += 2
    with times.stage("draw"):
        clock.now += 3
    assert times.seconds == {"draw": 7.0, "encode": 1.0}


def test_a_stage_that_fails_counts_too(clock):
    times = StageTimes()
    with pytest.raises(KeyError), times.stage("read"):
        clock.now += 3
        raise KeyError("lost")
    assert times.seconds == {"read": 3.0}


def test_stages_are_counted_by_instance():
    first, second = StageTimes(), StageTimes()
    with first.stage("read"):
        time.sleep(0.01)
    assert 0.009 < first.seconds["read"] < 1 and second.seconds == {}
    assert StageTimes().rates(5) == {}


@pytest.mark.parametrize(
    ("number", "error", "code"),
    [(signal.SIGINT, KeyboardInterrupt, None), (signal.SIGTERM, SystemExit, 143), (signal.SIGHUP, SystemExit, 129)],
)
def test_a_signal_is_noted_and_speaks_up_at_the_end(number, error, code):
    before = handlers()
    done = False
    with pytest.raises(error) as caught, StopRequest() as stop:
        assert stop.received is None and handlers() != before
        signal.raise_signal(number)
        assert stop.received == number
        stop.result = "the result"
        done = True
    assert done
    assert getattr(caught.value, "code", None) == code and result_of(caught.value) == "the result"
    assert handlers() == before


def test_without_a_signal_nothing_is_raised():
    before = handlers()
    with StopRequest() as stop:
        assert all(handler not in before for handler in handlers())
    assert stop.received is None and handlers() == before


def test_the_second_signal_acts_at_once():
    before = handlers()
    with pytest.raises(KeyboardInterrupt), StopRequest() as stop:
        signal.raise_signal(signal.SIGINT)
        assert stop.received == signal.SIGINT
        signal.raise_signal(signal.SIGINT)
        pytest.fail("the second one was only noted")
    assert handlers() == before


def test_an_error_under_way_is_not_replaced():
    before = handlers()
    with pytest.raises(ValueError, match="of the frame"), StopRequest():
        signal.raise_signal(signal.SIGINT)
        raise ValueError("of the frame")
    assert handlers() == before


def test_a_handler_of_the_program_is_left_alone():
    received = []

    def own(number, frame):
        received.append(number)

    signal.signal(signal.SIGTERM, own)
    with pytest.raises(KeyboardInterrupt), StopRequest() as stop:
        assert signal.getsignal(signal.SIGTERM) is own
        signal.raise_signal(signal.SIGTERM)
        assert received == [signal.SIGTERM] and stop.received is None
        signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGTERM) is own


def test_an_ignored_signal_stays_ignored():
    """As under nohup, or for a job in the background of a shell."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with StopRequest() as stop:
        signal.raise_signal(signal.SIGINT)
        assert stop.received is None and signal.getsignal(signal.SIGINT) is signal.SIG_IGN


def test_one_within_another_leaves_it_in_charge():
    before = handlers()
    with pytest.raises(KeyboardInterrupt), StopRequest() as outer:
        with StopRequest() as inner:
            signal.raise_signal(signal.SIGINT)
        assert inner.received is None and outer.received == signal.SIGINT
    assert handlers() == before


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_blocks_are_left_in_order_and_a_request_within_waits(number):
    before, order = handlers(), []
    with pytest.raises(SystemExit) as caught, ending_in_order():
        try:
            with StopRequest():
                signal.raise_signal(number)
                order.append("finished")
        finally:
            order.append("closed")
            with pytest.raises(SystemExit):
                signal.raise_signal(number)
    assert order == ["finished", "closed"] and caught.value.code == 128 + number and handlers() == before


def test_off_the_main_thread_nothing_changes():
    before = handlers()
    seen = []

    def work():
        with StopRequest() as stop:
            seen.append((handlers(), stop.received))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [(before, None)] and handlers() == before


def test_a_process_ends_as_the_signal_says_once_its_work_is_done():
    program = """
        import time
        from tracker.pipeline.interrupts import StopRequest
        with StopRequest() as stop:
            print("ready", flush=True)
            while not stop.received:
                time.sleep(0.01)
            print("closed in order", flush=True)
        print("never reached")
    """
    for number, code in ((signal.SIGTERM, 143), (signal.SIGINT, -signal.SIGINT)):
        command = [sys.executable, "-c", textwrap.dedent(program)]
        options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "cwd": ROOT}
        with subprocess.Popen(command, **options) as process:
            assert process.stdout.readline() == "ready\n"
            process.send_signal(number)
            output, errors = process.communicate(timeout=60)
        assert (output, process.returncode) == ("closed in order\n", code), errors
