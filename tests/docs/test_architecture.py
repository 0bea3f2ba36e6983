"""The drawing in docs/architecture.md is what the code is."""

import re
from itertools import pairwise, product

import pytest

from tests.helpers.paths import ROOT
from tests.test_packages import ARROWS, FLOOR, MODULES, part_of
from tracker import structures

PAGE = (ROOT / "docs" / "architecture.md").read_text()
NODE = re.compile(r'(\w+)(?:\["(.+?)"\])?')


def read_drawing():
    """The boxes, as the parts in them by name; imports, as pairs of boxes; and the way of a frame, with its values."""
    boxes, arrows, way = {}, set(), []
    for line in re.search(r"```mermaid\n(.*?)```", PAGE, re.DOTALL)[1].splitlines():
        groups = [NODE.findall(group) for group in re.split(r"-->|== \w+ ==>", line)]
        if len(groups) == 1:
            continue
        for name, label in (node for group in groups for node in group):
            boxes[name] = {*label.split(", ")} if label else boxes.get(name, {name})
        for value, (above, below) in zip(re.findall(r"== (\w+) ==>", line), pairwise(groups)):
            way.append((above[0][0], value, below[0][0]))
        if "-->" in line:
            arrows |= {(a, b) for above, below in pairwise(groups) for (a, _), (b, _) in product(above, below)}
    return boxes, arrows, way


def without_detours(arrows):
    """Those arrows whose end cannot be reached from their beginning by any longer way."""
    ends = {begin: {b for a, b in arrows if a == begin} for begin, _ in arrows}

    def below(box):
        return {box}.union(*map(below, ends.get(box, ())))

    return {(a, b) for a, b in arrows if not any(b in below(other) for other in ends[a] - {b})}


def arrow_text(arrows):
    return ", ".join(sorted(f"{above} --> {below}" for above, below in arrows)) or "nothing"


def top(module):
    return module.partition(".")[0]


BOXES, DRAWN, WAY = read_drawing()
OUTSIDE = {"tools", "training", "module", "tracker"}


def test_every_part_is_in_one_box():
    assert sorted(part for box in BOXES.keys() - OUTSIDE for part in BOXES[box]) == sorted(FLOOR.keys() - {"tracker"})


def test_the_arrows_are_the_imports():
    box_of = {part: box for box, parts in BOXES.items() for part in parts}
    inside = {(part_of(module), part_of(other)) for module, other in ARROWS if top(module) == "tracker"}
    arrows = {(box_of[part], box_of[other]) for part, other in inside if part != "tracker"}
    arrows |= {(top(module), top(other)) for module, other in ARROWS}
    made = without_detours({(a, b) for a, b in arrows if a != b})
    assert made == DRAWN, f"to add to the drawing: {arrow_text(made - DRAWN)}; to remove: {arrow_text(DRAWN - made)}"


@pytest.mark.parametrize(("maker", "value"), [(maker, value) for maker, value, _ in WAY])
def test_the_way_of_a_frame(maker, value):
    assert hasattr(structures, value)
    makers = {part_of(module) for module in MODULES if re.search(rf"\b{value}\(", MODULES[module].read_text())}
    assert maker in makers, f"{maker} makes no {value}"


def test_the_way_of_a_frame_is_one():
    assert [below for _, _, below in WAY[:-1]] == [above for above, _, _ in WAY[1:]]
    assert (WAY[0][0], WAY[-1][2]) == ("sources", "sinks")
