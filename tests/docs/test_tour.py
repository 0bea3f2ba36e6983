"""The notebook demo/tour.ipynb runs from top to bottom, and what is stored in it is what it gives."""

import copy
import re
import shutil
import socket

import pytest

from tests.helpers.paths import ROOT

nbformat = pytest.importorskip("nbformat")
nbclient = pytest.importorskip("nbclient")

TOUR = ROOT / "demo" / "tour.ipynb"
DOUBTS = {"found", "jumped", "short", "merge", "split", "drop", "to", "NaN"}  # words in rows of doubtful numbers
CHINESE, ENGLISH = re.compile(r"[\u4e00-\u9fff]"), re.compile(r"\b[A-Za-z]{2,}\b")


@pytest.fixture(scope="module")
def tour():
    return nbformat.read(TOUR, as_version=4)


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def texts(cell):
    """All that a cell has put out as text: what was printed, and tables."""
    for output in cell.outputs:
        if output.output_type == "stream":
            yield output.text
        else:
            yield from (value for kind, value in output.data.items() if kind.startswith("text/"))


def shown(cell):
    """The kinds of what a cell shows, and the words in it: by a processor's rounding numbers may differ, and doubts."""
    kinds = [sorted(output.get("data", [output.get("name")])) for output in cell.outputs]
    return kinds, set(re.findall(r"[^\W\d_]+", " ".join(texts(cell)))) - DOUBTS


def files_in(folder):
    return {path.relative_to(folder) for path in folder.rglob("*") if path.is_file()}


def test_runs_from_the_folder_demo_and_shows_what_is_stored(tour, tmp_path):
    pytest.importorskip("ipykernel")
    for name in ("tracker", "config", "weights"):
        (tmp_path / name).symlink_to(ROOT / name)
    demo = tmp_path / "demo"
    demo.mkdir()
    for name in ("pedestrians.mp4", "scene.yml"):
        shutil.copy(ROOT / "demo" / name, demo)
    before = files_in(tmp_path)

    fresh = copy.deepcopy(tour)
    nbclient.NotebookClient(fresh, timeout=500, resources={"metadata": {"path": str(demo)}}).execute()
    assert [shown(cell) for cell in code_cells(fresh)] == [shown(cell) for cell in code_cells(tour)]
    written = files_in(tmp_path) - before
    assert written and all(path.parts[:3] == ("demo", "output", "tour") for path in written)


def test_finds_the_project_from_its_own_folder(tour, monkeypatch):
    monkeypatch.chdir(ROOT)
    variables = {}
    exec(code_cells(tour)[0].source, variables)
    assert variables["CLIP"].is_file() and variables["SCENE"].is_file()


def test_stored_outputs_are_of_one_run_without_errors(tour):
    cells = code_cells(tour)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert all(cell.outputs for cell in cells[1:]), "every cell after that of the imports shows something"
    assert {output.get("name", "stdout") for cell in cells for output in cell.outputs} == {"stdout"}
    assert not [output for cell in cells for output in cell.outputs if output.output_type == "error"]


def test_stored_outputs_name_no_machine(tour):
    everything = "\n".join(text for cell in code_cells(tour) for text in texts(cell))
    assert not re.findall(r"(?<![\w.<])(?:/\w[\w.-]*){2,}|[A-Z]:\\", everything), "no absolute paths"
    assert socket.gethostname() not in everything
    assert not [cell for cell in tour.cells if cell.metadata], "no times of execution"


def test_is_small(tour):
    assert TOUR.stat().st_size < 500_000
    pictures = [output.data for cell in code_cells(tour) for output in cell.outputs if "data" in output]
    assert any("image/jpeg" in data for data in pictures) and not any("image/png" in data for data in pictures)


def test_prose_is_in_both_languages(tour):
    for cell in tour.cells:
        if cell.cell_type == "markdown":
            halves = re.split(r"\n\n(?=(?:#+ )?(?:[0-9A-Z]|`[a-z]|- [A-Z]))", cell.source, maxsplit=1)
            assert len(halves) == 2, cell.source
            assert CHINESE.search(halves[0]) and not CHINESE.search(halves[1]), cell.source
            assert len(ENGLISH.findall(halves[1])) > 5, cell.source
