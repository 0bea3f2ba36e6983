"""Output folders of runs, made up: who was in sight when, and what they look like."""

import json

import cv2
import numpy as np

from tracker.appearance.store import PeopleWriter
from tracker.appearance.views import View, Views
from tracker.sinks.mot_text import write_table

DIMENSION = 64


def look(person, turn=0):
    """What a person looks like: unlike others, nearly the same each time."""
    own = np.random.default_rng([person, 7]).normal(size=DIMENSION)
    vector = 0.82 * np.eye(DIMENSION)[0] + 0.5 * own / np.linalg.norm(own)
    vector = vector + 0.02 * np.random.default_rng([person, turn]).normal(size=DIMENSION) / 8
    return (vector / np.linalg.norm(vector)).astype(np.float16)


def write_run(folder, name, people, start=None, unknown=(), model="network", pictures=()):
    """Write a run at ten frames a second.

    Args:
        people: by number: the person, first and last frame, and optionally x and y of the foot.
        unknown: numbers of whom there are no views.
        pictures: numbers of whom there is a picture, grey as bright as ten times the number of the person.
    """
    results = folder / "mot_results"
    results.mkdir(parents=True, exist_ok=True)
    rows = []
    for number, (_, first, last, *foot) in people.items():
        x, y = foot or (60.0 * number, 300.0)
        rows += [[frame, number, x - 20, y - 100, 40, 100, 0.9] for frame in range(first, last + 1)]
    table = np.array(rows, float).reshape(-1, 7)
    write_table(results / f"{name}.txt", table[np.lexsort((table[:, 1], table[:, 0]))])
    writer = PeopleWriter(results / f"{name}_people.npz", model)
    for number, (person, *_) in people.items():
        if number not in unknown:
            writer.add(number, Views(tuple(View(look(person, turn + 10 * number), 0.5, 1) for turn in range(4))))
    writer.write({})
    writer.close()
    about = {"name": name, "size": [640, 480], "frame_rate": 10, "skip_frames": 1, "start": start}
    (results / f"{name}_run.json").write_text(json.dumps(about))
    for number in pictures:
        path = folder / "answers" / name / "people" / f"{number}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), np.full((128, 64, 3), 10 * people[number][0], np.uint8))
    return folder
