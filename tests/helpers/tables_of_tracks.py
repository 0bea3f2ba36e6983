"""Tables of tracks of people who walk straight on, for the refinement."""

import numpy as np

from tracker.settings.refinement import RefineSettings

OFF = RefineSettings(
    relink_seconds=0, motion_seconds=0, ghost_seconds=0, fill_seconds=0, fill_support=0, smooth_seconds=0
)


def walk(track, frames, left=100.0, top=100.0, velocity=(3.0, 0.5), height=120.0, score=0.9):
    """[N, 7] rows of somebody who is at (left, top) in frame 0 and moves so many pixels a frame."""
    frames = np.asarray(frames, np.float64)
    boxes = np.array([left, top, 0.4 * height, height]) + np.outer(frames, [*velocity, 0, 0])
    return np.column_stack([frames, np.full(len(frames), track), boxes, np.full(len(frames), score)])


def random_embeddings(count, dimension=32, seed=0):
    """[N, D] embeddings of different people, L2-normalised."""
    made = np.random.default_rng(seed).normal(size=(count, dimension)).astype(np.float32)
    return made / np.linalg.norm(made, axis=1, keepdims=True)


def strangers(count, last_frame, first_id=1000):
    """People far from everybody who are there all the time, and their embeddings by id: table and embeddings."""
    table = [walk(first_id + n, range(1, last_frame + 1), 3000, 1000.0 * n, velocity=(0, 0)) for n in range(count)]
    return np.concatenate(table), {first_id + n: vector for n, vector in enumerate(random_embeddings(count, seed=99))}


def tagged(table):
    """The same rows with a score of their own each, by which to find them again."""
    table = table.copy()
    table[:, 6] = 0.5 + np.arange(len(table)) / (4 * len(table))
    return table


def people_of(before, after):
    """Ids given by the refinement to each id of the tagged table: {id: set of ids}."""
    refined = dict(zip(after[:, 6], after[:, 1].astype(int)))
    return {int(track): {refined[s] for s in before[before[:, 1] == track, 6]} for track in np.unique(before[:, 1])}
