"""The order of the packages, and how large a file and a folder may become. The code is read, not imported."""

import ast
import re
from graphlib import CycleError, TopologicalSorter

import pytest

from tests.helpers.paths import ROOT

MAY_IMPORT = {
    "tracker": {"tracker"},
    "module": {"module", "tracker"},
    "training": {"training", "tracker"},
    "tools": {"tools", "training", "tracker"},
}
# The parts of `tracker`, from the ground floor up: each imports from its own floor and from those below.
FLOORS = (
    {"errors", "boxes", "structures"},
    {"settings", "models"},
    {"sources", "sinks", "delivery", "association", "appearance", "detection.backends"},
    {"detection", "refinement"},
    {"evaluation", "analysis"},
    {"privacy"},
    {"options", "pipeline"},
    {"option_groups", "job"},
    {"assembly"},
    {"predictor", "exports"},
    {"cameras", "library"},
    {"web"},
    {"doctor"},
    {"commands"},
    {"command", "serving"},
    {"__main__", "tracker"},  # `tracker` is its __init__.py, the public names
)
FLOOR = {part: floor for floor, parts in enumerate(FLOORS) for part in parts}
MAX_LINES, MAX_FILES = 350, 12
A_TOOL = re.compile(r"(\S*/)?tools([/.]\S+)?")  # a path or module name by itself, not a sentence that mentions one

FILES = [ROOT / "module.py"]
FILES += sorted(path for top in ("tracker", "training", "tools", "tests") for path in (ROOT / top).rglob("*.py"))


def module_name(path):
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


MODULES = {module_name(path): path for path in FILES if not path.is_relative_to(ROOT / "tests")}


def imports(module):
    """The project's modules that one imports, those within functions and under TYPE_CHECKING too."""
    package = MODULES[module].relative_to(ROOT).parent.parts
    for node in ast.walk(ast.parse(MODULES[module].read_text())):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) + 1 - node.level] if node.level else ()
            origin = ".".join([*above, *filter(None, [node.module])])
            names = [f"{origin}.{alias.name}" for alias in node.names]
        for name in names:
            while name and name not in MODULES:  # a class or function: take the module that it is from
                name = name.rpartition(".")[0]
            if name:
                yield name


ARROWS = sorted({(module, other) for module in MODULES for other in imports(module)})


def part_of(module):
    """The part of `tracker` that a module is in: a name of FLOORS."""
    _, _, inside = module.partition(".")
    return "detection.backends" if inside.startswith("detection.backends") else inside.partition(".")[0] or "tracker"


def circle(arrows):
    """One circle of arrows from a name to another, or None."""
    graph = {}
    for source, target in arrows:
        graph.setdefault(source, set()).add(target)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return error.args[1]


def test_tools_import_training_and_training_imports_the_tracker_never_back():
    tops = [(module, other, module.partition(".")[0], other.partition(".")[0]) for module, other in ARROWS]
    assert [f"{module} -> {other}" for module, other, top, below in tops if below not in MAY_IMPORT[top]] == []


def test_no_part_of_the_tracker_imports_from_a_higher_floor():
    assert {part_of(module) for module in MODULES if module.startswith("tracker")} == set(FLOOR)
    inside = [pair for pair in ARROWS if all(module.startswith("tracker") for module in pair)]
    up = [pair for pair in inside if FLOOR[part_of(pair[0])] < FLOOR[part_of(pair[1])]]
    assert [f"{module} -> {other}" for module, other in up] == []


def test_nothing_imports_in_a_circle():
    assert circle(ARROWS) is None
    parts = {(part_of(module), part_of(other)) for module, other in ARROWS if module.startswith("tracker")}
    assert circle((part, other) for part, other in parts if part != other) is None


@pytest.mark.parametrize("top", ["tracker", "training"])
def test_no_tool_is_started_from_below(top):
    tools = {path.name for path in (ROOT / "tools").glob("*.py")}
    for module, path in MODULES.items():
        if module.partition(".")[0] == top:
            texts = [node.value for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Constant)]
            named = [text for text in texts if isinstance(text, str) and (A_TOOL.fullmatch(text) or text in tools)]
            assert named == [], f"{module} names a tool, as if to start it"


def test_files_are_short():
    lengths = {path.relative_to(ROOT).as_posix(): len(path.read_text().splitlines()) for path in FILES}
    assert {name: length for name, length in lengths.items() if length > MAX_LINES} == {}


def test_folders_are_small():
    counts = {folder: len([*folder.glob("*.py")]) for folder in {path.parent for path in FILES} - {ROOT}}
    crowded = {folder.relative_to(ROOT).as_posix(): count for folder, count in counts.items() if count > MAX_FILES}
    assert crowded == {}
