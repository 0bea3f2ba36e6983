"""The scene as it is drawn: where lines, arrows, zones and labels are."""

import numpy as np

from tracker.analysis.geometry import middle_and_aside
from tracker.sinks.draw_scene import DrawnLine, DrawnZone, draw_scene

LINE = np.array([[100.0, 200.0], [500.0, 200.0]])


def line_of(name, points, in_label, out_label):
    return DrawnLine(name, points, *middle_and_aside(points), in_label, out_label)


def drawn(lines=(), zones=(), ignored=()):
    canvas = np.zeros((400, 600, 3), np.uint8)
    draw_scene(canvas, lines, zones, ignored)
    return canvas.any(axis=2)


def test_a_line_is_drawn_where_it_is_with_the_arrow_to_its_right():
    without_names = drawn([line_of("", LINE, "", "")])
    assert without_names[200, 120:480].all()
    # walking from left to right, the right is down
    assert without_names[206:215, 300].all() and not without_names[180:190, 250:290].any()
    turned = drawn([line_of("", LINE[::-1], "", "")])
    assert turned[186:195, 300].all()


def test_counts_are_written_beside_the_line():
    few, many = (drawn([line_of("door", LINE, f"in {count}", "out 0")]) for count in (1, 8888))
    assert (few != many)[205:260, 250:350].any() and not (few != many)[:190].any()


def test_zones_and_regions_are_outlined_and_labels_stay_in_the_picture():
    square = np.array([[-50.0, -50.0], [300, -50], [300, 300], [-50, 300]])
    picture = drawn(zones=[DrawnZone("until 3", square)], ignored=[square + 200])
    assert picture[100, 300] and picture[300, 100] and picture[150, 160:490].all()
    assert picture[0:12, 0:20].any()
    bent = line_of("名", np.array([[10.0, 10], [300, 100], [590, 10]]), "入 1", "")
    assert drawn([bent])[99:102, 299:302].any(), "letters that cannot be drawn are no error"
