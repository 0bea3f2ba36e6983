"""Events as lines of a file: appended, whole, locked, and never costing the run."""

import errno
import os
import threading

import pytest

from tests.tracker.delivery.receivers import made_event, numbers_of
from tracker.delivery.event_file import EventFile
from tracker.delivery.hub import EventHub
from tracker.errors import OutputError


def tell(path, *numbers):
    with EventHub([EventFile(str(path))]) as hub:
        for number in numbers:
            hub.tell(made_event(number))
    return hub


def test_lines_are_there_at_once_and_later_runs_append(tmp_path):
    path = tmp_path / "new" / "events.jsonl"
    with EventHub([EventFile(str(path))]) as hub:
        hub.tell(made_event(1))
        while not path.read_text():
            pass
        assert path.read_text().endswith("\n")
        hub.tell(made_event(2))
    tell(path, 3)
    assert numbers_of(path.read_text().splitlines()) == [1, 2, 3]


def test_a_line_that_a_killed_run_left_half_is_removed(tmp_path):
    path = tmp_path / "events.jsonl"
    tell(path, 1, 2)
    whole = path.read_text()
    for rest in ('{"event": "app', '{"event": "' + "x" * 10_000):
        path.write_text(whole + rest)
        tell(path)
        assert path.read_text() == whole
    path.write_text('{"event"')
    tell(path, 7)
    assert numbers_of(path.read_text().splitlines()) == [7]


def test_the_file_of_a_running_run_is_refused(tmp_path):
    path = tmp_path / "events.jsonl"
    with EventHub([EventFile(str(path))]) as hub:
        hub.tell(made_event(1))
        with pytest.raises(OutputError, match="another run writes its events"):
            tell(path, 2)
    assert numbers_of(path.read_text().splitlines()) == [1]
    tell(path, 3)


def test_a_file_of_something_else_is_left_alone(tmp_path):
    path = tmp_path / "street.txt"
    path.write_text("1,1,2,3,4,5,.9,-1,-1,-1\n")
    with pytest.raises(OutputError, match="no file of events"):
        tell(path, 1)
    assert path.read_text() == "1,1,2,3,4,5,.9,-1,-1,-1\n"
    with pytest.raises(OutputError, match="Is a directory"):
        tell(tmp_path, 1)


def test_a_full_disk_costs_events_and_nothing_else(tmp_path, monkeypatch, caplog):
    outlet = EventFile(str(tmp_path / "events.jsonl"))
    with EventHub([outlet]) as hub:
        outlet._file.close()

        class Full:
            def write(self, data):
                raise OSError(errno.ENOSPC, "No space left on device")

            def close(self):
                pass

        outlet._file = Full()
        for number in range(5):
            hub.tell(made_event(number))
    assert hub.totals() == {"events": {"sent": 0, "lost": 5}}
    assert [record.getMessage().partition(";")[0] for record in caplog.records] == [
        f"{tmp_path}/events.jsonl: cannot write events (No space left on device)",
        f"{tmp_path}/events.jsonl: 5 of 5 events were lost",
    ]


def test_standard_output_that_nobody_reads_any_more(capfd, caplog):
    reading, writing = os.pipe()
    outlet = EventFile("-")
    with EventHub([outlet]) as hub:
        outlet._file.close()
        outlet._file = os.fdopen(writing, "wb", buffering=0)
        hub.tell(made_event(1))
        assert numbers_of([os.read(reading, 10_000)]) == [1]
        os.close(reading)
        hub.tell(made_event(2))
        hub.tell(made_event(3))
    assert hub.totals() == {"events": {"sent": 1, "lost": 2}}
    assert "Broken pipe" in caplog.text and capfd.readouterr().out == ""


def test_a_slow_reader_does_not_hold_up_who_tells(tmp_path):
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    with EventHub([EventFile(str(fifo))]) as hub:
        for number in range(2000):  # far more than a pipe holds, without a reader
            hub.tell(made_event(number))
        with fifo.open() as file:
            lines = [file.readline() for _ in range(2000)]
    assert numbers_of(lines) == list(range(2000)) and hub.totals()["events"]["sent"] == 2000
    assert not any("tracker events" in thread.name for thread in threading.enumerate())
