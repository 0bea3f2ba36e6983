"""A program in a pseudo-terminal, whose foreground it is in."""

import fcntl
import os
import select
import subprocess
import termios
import time

PATIENCE = 120.0  # seconds for a program to print what is waited for
# seconds: a signal between the question and the wait for its answer is noticed when the answer comes
REACTION = 1.0


class Terminal:
    """A program whose input, output and errors are a terminal of its own.

    Args:
        command: its words.
        stdout: where its output goes instead; None for the terminal.
        options: of `subprocess.Popen`.
    """

    def __init__(self, command, stdout=None, **options):
        self._ours, theirs = os.openpty()

        def take_terminal():
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)

        self.shown = ""
        self.process = subprocess.Popen(
            [str(word) for word in command],
            stdin=theirs,
            stdout=theirs if stdout is None else stdout,
            stderr=theirs,
            start_new_session=True,
            preexec_fn=take_terminal,
            **options,
        )
        os.close(theirs)

    def wait_for(self, text):
        """Read until a text was shown."""
        until = time.monotonic() + PATIENCE
        while text not in self.shown:
            assert time.monotonic() < until and self._read(), f"{text!r} was not shown: {self.shown}"

    def type(self, text):
        """Press keys, once a program has had the time to wait for them; \\x03 is Ctrl-C, \\x04 Ctrl-D."""
        time.sleep(REACTION)
        os.write(self._ours, text.encode())

    def end(self):
        """Read to the end; returns the exit code. Lines end in a plain newline in ``shown``."""
        while self._read():
            pass
        code = self.process.wait(PATIENCE)
        os.close(self._ours)
        self.shown = self.shown.replace("\r\n", "\n")
        return code

    def _read(self):
        ready, _, _ = select.select([self._ours], [], [], PATIENCE)
        assert ready, f"nothing comes: {self.shown}"
        try:
            read = os.read(self._ours, 65536)
        except OSError:  # Linux: the program has closed it
            return False
        self.shown += read.decode(errors="replace")
        return bool(read)
