"""Small packed sets: drawn people, each of one colour, with vectors."""

import cv2
import numpy as np

from training.pytorch.packed import TaughtFrame, write_packed

TEACHER = 16  # length of a vector


def draw_person(image, box, color):
    """Head and body of one colour; returns where they are, [H, W] bool."""
    left, top, right, bottom = box
    middle, width, height = (left + right) // 2, right - left, bottom - top
    mask = np.zeros(image.shape[:2], np.uint8)
    cv2.ellipse(mask, (middle, top + height * 58 // 100), (width * 48 // 100, height * 42 // 100), 0, 0, 360, 1, -1)
    cv2.circle(mask, (middle, top + height // 8), height // 8, 1, -1)
    image[mask > 0] = color
    return mask > 0


def make_frames(count=6, people=2, size=(160, 224), seed=0):
    """Frames of two sources; the last box of each is an ignored one without a vector."""
    random = np.random.default_rng(seed)
    for number in range(count):
        image = random.integers(150, 180, (*size, 3), dtype=np.uint8)
        boxes = []
        for place in range(people):
            box = [20 + 70 * place, 20, 60 + 70 * place, 140]
            draw_person(image, box, random.integers(0, 120, 3))
            boxes.append(box)
        boxes.append([170, 10, 210, 60])
        vectors = np.zeros((people + 1, TEACHER), np.float32)
        vectors[:people] = random.normal(size=(people, TEACHER))
        vectors[:people] /= np.linalg.norm(vectors[:people], axis=1, keepdims=True)
        ignored = np.arange(people + 1) == people
        yield TaughtFrame("ab"[number % 2], number, image, np.array(boxes, np.float32), ignored, vectors)


def make_cutout(height=100, width=40):
    image = np.full((height, width, 3), 90, np.uint8)
    return image, draw_person(image, [0, 0, width, height], (10, 200, 30)).astype(np.float32)


def write_small(path, cutouts=1, **options):
    write_packed(path, make_frames(**options), 5, [make_cutout()] * cutouts)
    return path
