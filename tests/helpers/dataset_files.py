"""Small training data in the layouts that training/data/readers.py reads, and MOTChallenge text files."""

import cv2
import numpy as np

PENN_FUDAN = """# Compatible with PASCAL Annotation Version 1.00
Image filename : "PennFudanPed/PNGImages/a.png"
Objects with ground truth : 2 {{ "PASpersonWalking" "{label}" }}
# Top left pixel co-ordinates : (1, 1)
Bounding box for object 1 "PASpersonWalking" (Xmin, Ymin) - (Xmax, Ymax) : (1, 2) - (10, 20)
Bounding box for object 2 "{label}" (Xmin, Ymin) - (Xmax, Ymax) : (5, 6) - (7, 8)
"""


def write_image(path, width=40, height=30, shade=100):
    path.parent.mkdir(parents=True, exist_ok=True)
    image = np.full((height, width, 3), shade, np.uint8)
    assert cv2.imwrite(str(path), image)
    return path


def write_text(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def write_mot(folder, frames=10, lines=None, rate=25):
    """A sequence; by default person 7 is in every frame at left = frame, person 9 in the first two."""
    for frame in range(1, frames + 1):
        write_image(folder / "img1" / f"{frame:06d}.jpg", shade=20 * frame % 256)
    if lines is None:
        lines = [f"{frame},7,{frame},2,10,20,1,-1,-1,-1" for frame in range(1, frames + 1)]
        lines += [f"{frame},9,20,2,10,20,1,-1,-1,-1" for frame in (1, 2)]
    write_text(folder / "gt" / "gt.txt", "".join(f"{line}\n" for line in lines))
    seqinfo = f"[Sequence]\nname={folder.name}\nimDir=img1\nframeRate={rate}\nseqLength={frames}\n"
    write_text(folder / "seqinfo.ini", seqinfo)
    return folder


def write_yolo(folder, **labels):
    """An image a keyword; its label file holds the text, or is absent for None."""
    for name, text in labels.items():
        write_image(folder / "images" / f"{name}.jpg")
        if text is not None:
            write_text(folder / "labels" / f"{name}.txt", text)
    return folder


def write_crops(folder, **crops):
    """Sub-folders by label, with as many crops as the number says."""
    for label, count in crops.items():
        for number in range(count):
            write_image(folder / label.strip("_") / f"{label.strip('_')}_c1s1_{number:06d}_01.jpg", 8, 16)
    return folder


def cut_short(path, part=0.6):
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * part)])


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
