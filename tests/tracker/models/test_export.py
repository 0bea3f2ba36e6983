"""The export of weights: as a command, and as a child process under whichever name the package is imported."""

import os
import subprocess
import sys
import textwrap

import pytest

from tests.helpers.paths import ROOT
from tracker.boxes import box_iou
from tracker.detection.detector import Model
from tracker.errors import ModelError
from tracker.models.export import export_in_child
from tracker.models.locate import COMPACT
from tracker.sources import open_source

CONFIG = ROOT / "config" / "jde_compact.yml"


@pytest.fixture
def unknown_network(tmp_path):
    """A configuration that is refused, after the start of the process and before the import of Paddle."""
    path = tmp_path / "config.yml"
    path.write_text("architecture: Other\n")
    return path


@pytest.mark.parametrize(
    "command", [["-m", "tracker.models.export"], ["tools/export_model.py"]], ids=["module", "tool"]
)
def test_commands_state_errors_in_one_line(tmp_path, unknown_network, command):
    command = [sys.executable, *command, "-c", unknown_network, "--weights", "w", "--output", tmp_path / "out"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1 and not (tmp_path / "out").exists()
    assert done.stderr.splitlines() == [
        f"error: {unknown_network} asks for architecture 'Other'; known are JDE, CompactJDE"
    ]
    done = subprocess.run(command[:-1], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2


def test_a_child_process_states_why_it_failed(tmp_path, unknown_network):
    with pytest.raises(ModelError, match=r"^.*config\.yml asks for architecture 'Other'"):
        export_in_child(unknown_network, tmp_path / "w", tmp_path / "out")


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ModelError, match=r"file/out cannot be written \(.*\)"):
        export_in_child(CONFIG, ROOT / "weights" / "jde_compact.pdparams", tmp_path / "file" / "out")


def test_the_weights_for_research_find_whom_the_bundled_ones_find(tmp_path):
    export_in_child(CONFIG, ROOT / "weights" / "jde_compact_research.pdparams", tmp_path / "research")
    with open_source(ROOT / "demo" / "pedestrians.mp4") as source:
        image = next(iter(source)).image
    folders = COMPACT, tmp_path / "research"
    bundled, research = (Model(folder).detector({"score": 0.66})(image).boxes for folder in folders)
    overlap = box_iou(bundled, research)
    assert len(research) >= 3 and (overlap.max(axis=0) > 0.7).all()
    assert (overlap.max(axis=1) > 0.7).sum() >= len(bundled) - 1


def test_an_installed_package_of_another_name_exports_with_its_own_code(tmp_path, unknown_network):
    """As PaddleHub imports it, in a current folder that has a package of the same name."""
    home = tmp_path / "modules"
    (home / "jde").mkdir(parents=True)
    (home / "jde" / "tracker").symlink_to(ROOT / "tracker")
    (tmp_path / "tracker").mkdir()
    (tmp_path / "tracker" / "__init__.py").write_text("raise SystemExit('another tracker')")
    script = f"""
        from pathlib import Path
        from jde.tracker.errors import ModelError
        from jde.tracker.models.export import export_in_child
        try:
            export_in_child(Path({str(unknown_network)!r}), Path("w"), Path("out"))
        except ModelError as error:
            print(error)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(home)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "asks for architecture 'Other'" in done.stdout, done.stderr
