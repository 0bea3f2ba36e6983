"""The ``hub`` command, with a home of its own."""

import os
import subprocess
import sys
from pathlib import Path

NAME = "jde_darknet53_30e_1088x608"


def run_hub(home, *arguments, **options):
    """Run the ``hub`` command with a home of its own; returns the finished process."""
    environment = {**os.environ, "HUB_HOME": str(home)}
    command = [str(Path(sys.executable).with_name("hub")), *map(str, arguments)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600, **options)


def error_line(text):
    """The one line of standard error that the module wrote; others there are warnings of libraries."""
    assert "Traceback" not in text
    (line,) = [line for line in text.splitlines() if line.startswith("error:")]
    return line
