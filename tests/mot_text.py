"""Boxes that are far apart, and MOTChallenge text files of them."""

A, B, C = (0, 0, 10, 20), (100, 0, 10, 20), (300, 0, 10, 20)  # left, top, width, height
A_06 = (2.5, 0, 10, 20)  # IoU with A: 7.5 / 12.5 = 0.6 exactly


def write_boxes(path, boxes, tail="1,-1,-1,-1"):
    """Writes (frame, id, box) or (frame, id, box, tail) tuples as MOT text."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [f"{frame},{i},{','.join(map(str, box))},{(*own, tail)[0]}\n" for frame, i, box, *own in boxes]
    path.write_text("".join(lines))
    return path


def two_people():
    """Five frames: A is taken over by id 3 in frame 4, B is missed in frame 3, a stray box is in frame 5."""
    gt = [(frame, i, box) for frame in range(1, 6) for i, box in ((1, A), (2, B))]
    result = [(frame, 1 if frame < 4 else 3, A) for frame in range(1, 6)]
    result += [(frame, 2, B) for frame in (1, 2, 4, 5)] + [(5, 4, C)]
    return gt, result
