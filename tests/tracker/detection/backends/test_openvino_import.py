"""OpenVINO is imported without its report to its makers."""

import subprocess
import sys

import pytest

from tests.helpers.paths import ROOT

pytest.importorskip("openvino")
REPORTER = """
print("the reporter is there")

class Telemetry:
    def __init__(self, *_, **__): ...
    def send_event(self, *_, **__):
        print("a report")
"""


@pytest.fixture
def printed(tmp_path):
    """What a program prints, with a reporter that says when it is used."""
    package = tmp_path / "openvino_telemetry"
    (package / "backend").mkdir(parents=True)
    (package / "__init__.py").write_text(REPORTER)
    (package / "backend" / "__init__.py").write_text("backend_ga4 = None")

    def run(program):
        paths = f"import sys; sys.path[:0] = [{str(tmp_path)!r}, {str(ROOT)!r}]; "
        done = subprocess.run([sys.executable, "-c", paths + program], capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout.split("\n")

    return run


OURS = "from tracker.detection.backends.openvino_import import import_openvino; core = import_openvino().Core(); "


def test_nothing_is_reported(printed):
    assert "a report" in printed("import openvino"), "it would be without our doing"
    assert printed(OURS + "print(len(core.available_devices) > 0)") == ["True", ""]


def test_others_find_the_package_as_ever(printed):
    assert printed(OURS + "import openvino_telemetry") == ["the reporter is there", ""]
    once = "import openvino_telemetry as ours; " + OURS + "import openvino_telemetry; print(ours is openvino_telemetry)"
    assert printed(once) == ["the reporter is there", "True", ""]
