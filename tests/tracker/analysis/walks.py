"""Observations of people who walk by plan, and what an analysis of a scene makes of them."""

import numpy as np

from tracker.analysis.analysis import SceneAnalysis, Step
from tracker.analysis.recording import Recording
from tracker.analysis.scene import load_scene
from tracker.analysis.trajectories import FRAME, ID, MS, SCORE

SIZE = (1000, 800)
RATE = 25.0


def walk(identity, feet, first=1, height=100.0, rate=RATE, score=0.9, frames=None):
    """[N, 8] observations of somebody whose foot is at [N, 2] pixels, frame by frame from the first one."""
    feet = np.asarray(feet, float)
    frames = np.arange(first, first + len(feet)) if frames is None else np.asarray(frames)
    width = 0.4 * height
    boxes = np.column_stack([feet[:, 0] - width / 2, feet[:, 1] - height, np.full((len(feet), 2), (width, height))])
    ms = np.rint((frames - 1) * 1000 / rate)
    return np.column_stack([ms, frames, np.full(len(feet), identity), np.round(boxes, 2), np.full(len(feet), score)])


def straight(start, end, step):
    """[N, 2] points from one to another, so many pixels apart."""
    start, end = np.array(start, float), np.array(end, float)
    count = int(np.linalg.norm(end - start) // step) + 1
    return start + np.outer(np.arange(count) * step, (end - start) / np.linalg.norm(end - start))


def still(point, seconds, noise=0.0, rate=RATE, seed=0):
    """[N, 2] points of somebody who stands for so long."""
    count = round(seconds * rate) + 1
    return np.array(point, float) + np.random.default_rng(seed).uniform(-noise, noise, (count, 2))


def together(*walks):
    """The observations of several people in the order of frames, as a text has them."""
    rows = np.concatenate(walks)
    return rows[np.lexsort((rows[:, ID], rows[:, FRAME]))]


class Answered:
    """What an analysis tells of observations: all rows of a `Step`, and the analysis."""

    def __init__(self, scene, rows, cuts=(), size=SIZE, rate=RATE, interval=60.0, end=None):
        self.analysis = SceneAnalysis(load_scene(scene), Recording("street", size, rate, interval=interval))
        self.step = Step()
        frames = np.unique(rows[:, FRAME])
        for part in np.split(frames, cuts):
            if len(part):
                portion = rows[np.isin(rows[:, FRAME], part)]
                self._add(self.analysis.update(portion, portion[-1, MS]))
        if end is not None:
            self._add(self.analysis.update(np.zeros((0, 8)), 1000.0 * end))
        self._add(self.analysis.close())

    def _add(self, step):
        for name, rows in vars(step).items():
            getattr(self.step, name).extend(rows)

    def __getattr__(self, name):
        return getattr(self.step, name)

    def count(self, direction, line="door"):
        """Crossings of a line in a direction."""
        return sum(row.line == line and row.direction == direction for row in self.step.crossings)

    @property
    def both(self):
        """Crossings in and out of the line ``door``."""
        return self.count("in"), self.count("out")


def crowd(seed, frames=300, people=6):
    """Observations of people who walk about with gaps of all lengths, stand, leave and come back."""
    random = np.random.default_rng(seed)
    place, velocity = random.uniform(50, 750, (people, 2)), random.normal(0, 5, (people, 2))
    height, hidden = random.uniform(40, 200, people), np.zeros(people)
    feet, shown = np.zeros((people, frames, 2)), np.zeros((people, frames), bool)
    for frame in range(frames):
        place += velocity * (np.arange(people) != 0)[:, None] + random.normal(0, 0.7, (people, 2))
        outside = (place < 0) | (place > 780)
        velocity[outside] *= -1
        hidden = np.maximum(hidden - 1, 0)
        hidden[(random.random(people) < 0.04) & (hidden == 0)] = random.choice([1, 2, 14, 30, 45, 60])
        feet[:, frame], shown[:, frame] = place, hidden == 0
    walks = [walk(n + 1, feet[n], height=round(height[n], 2))[shown[n]] for n in range(people)]
    for rows in walks:
        rows[:, SCORE] = np.round(random.uniform(0.3, 1, len(rows)), 4)
    return together(*walks)
