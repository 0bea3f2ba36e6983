"""Random search for settings of an association with successive halving, and what it is worth on other sequences."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from tools.eval_mot import StoredSequence
from tracker.association.base import SequenceTracker
from tracker.errors import OptionError
from tracker.evaluation.hota import count_hota
from tracker.evaluation.mot_files import read_ground_truth
from tracker.evaluation.mot_metrics import combine, overlaps, score_boxes
from tracker.evaluation.stored_detections import with_size
from tracker.settings.tracking import TrackerConfig
from tracker.sinks.mot_text import FRAME, MAX_COLUMNS
from tracker.structures import Detections

# the least and the largest value that is tried, and whether between them factors count, not differences
SPACE: dict[str, tuple[float, float, bool]] = {
    "conf_thres": (0.3, 0.8, False),
    "embedding_momentum": (0.7, 0.98, False),
    "low_thres": (0.05, 0.4, False),
    "memory": (0.5, 8, True),
    "match_thresh": (0.6, 1.4, False),
    "min_overlap": (0, 0.3, False),
    "low_match_thresh": (0.3, 0.8, False),
    "new_match_thresh": (0.4, 0.95, False),
    "sure_margin": (0, 0.2, False),
    "confirm_evidence": (0.02, 0.6, False),
    "max_evidence": (0.5, 6, True),
    "appearance_weight": (0, 2, False),
    "reid_sigma": (1.5, 5, False),
    "max_speed": (1, 8, True),
    "det_thresh": (0.1, 0.8, False),
    "track_buffer": (10, 120, True),
    "tracked_thresh": (0.3, 1, False),
    "r_tracked_thresh": (0.3, 0.8, False),
    "unconfirmed_thresh": (0.4, 0.95, False),
}
KEPT = 0.5  # share of the settings that a trial leaves as they are: few changes carry over to other sequences better
SHARES = (1 / 3, 2 / 3, 1)  # of each sequence's frames, in the rounds; between two of them the worse part goes
HALVING = 3  # one of so many trials comes into the next round
DIGITS = 3  # of a value that is tried

Trial = Mapping[str, float]  # settings that differ from the usual ones
Score = Callable[[int, int, float], float]  # of a trial, on a sequence, of which such a share of the frames is tracked


@dataclass(frozen=True)
class Held:
    """What a search on all other sequences is worth on one that it has not seen.

    Attributes:
        usual: score of the usual settings on it.
        tuned: score there of those chosen on the others.
        trial: number of that trial.
    """

    usual: float
    tuned: float
    trial: int


@dataclass(frozen=True)
class Outcome:
    """What a search has found.

    Attributes:
        trial: number of the trial that is best on all sequences together; 0 are the usual settings.
        usual: scores [S] of the usual settings on the sequences.
        tuned: scores [S] of the best trial, by which it was chosen.
        held: for each sequence, what a search on the others is worth on it.
    """

    trial: int
    usual: np.ndarray
    tuned: np.ndarray
    held: list[Held]

    @cached_property
    def gains(self) -> np.ndarray:
        """Gain [S] on each sequence of settings that were chosen without it."""
        return np.array([one.tuned - one.usual for one in self.held])

    @property
    def error(self) -> float:
        """Standard error of the mean of the gains."""
        return float(self.gains.std(ddof=1) / math.sqrt(len(self.gains)))

    @property
    def is_sure(self) -> bool:
        """Whether the mean gain on sequences not seen is above twice its standard error."""
        return bool(self.gains.mean() > 2 * self.error)


def make_trials(config: TrackerConfig, count: int, seed: int, names: Sequence[str] = ()) -> list[Trial]:
    """Return settings to try, at random; the first trial changes nothing.

    Args:
        config: names the association.
        count: number of trials, the first included.
        seed: of the random numbers.
        names: the settings to change; () for all in `SPACE` that the association uses.

    Raises:
        OptionError: a setting cannot be tuned.
    """
    for name in names:
        if name not in SPACE or not config.uses(name):
            known = ", ".join(one for one in SPACE if config.uses(one))
            raise OptionError(f"{name} cannot be tuned with association {config.association}; these can: {known}")
    chosen = list(names) or [name for name in SPACE if config.uses(name)]
    random = np.random.default_rng(seed)
    trials: list[Trial] = [{}]
    while len(trials) < count:
        trial = {name: _value(random, *SPACE[name]) for name in chosen if random.random() >= KEPT}
        if trial:
            trials.append(trial)
    return trials


def _value(random: np.random.Generator, low: float, high: float, by_factor: bool) -> float:
    value = math.exp(random.uniform(math.log(low), math.log(high))) if by_factor else random.uniform(low, high)
    return float(f"{value:.{DIGITS}g}")


def search(trials: int, sequences: int, score: Score) -> Outcome:
    """Find the best trial by successive halving, for all sequences and for all but each.

    Jamieson and Talwalkar, "Non-stochastic Best Arm Identification and Hyperparameter Optimization" (2016): all trials
    begin with a part of the frames, and the better third of them goes on with more. The usual settings always do.

    Args:
        trials: number of trials, of which number 0 are the usual settings.
        sequences: number of sequences, 2 or more.
        score: gives the score of a trial, higher is better; asked once for each trial, sequence and share.

    Returns:
        The outcome.
    """
    known: dict[tuple[int, int, float], float] = {}

    def of(trial: int, sequence: int, share: float) -> float:
        key = trial, sequence, share
        if key not in known:
            known[key] = score(*key)
        return known[key]

    def best(chosen: Iterable[int]) -> int:
        left, over = list(range(trials)), list(chosen)
        for share in SHARES:
            means = {trial: np.mean([of(trial, sequence, share) for sequence in over]) for trial in left}
            left.sort(key=lambda trial: (-means[trial], trial))  # the usual settings win a tie
            if share < SHARES[-1]:
                kept = left[: -(-len(left) // HALVING)]
                left = kept if 0 in kept else [*kept, 0]
        return left[0]

    every = range(sequences)
    usual = np.array([of(0, sequence, 1) for sequence in every])
    trial = best(every)
    tuned = np.array([of(trial, sequence, 1) for sequence in every])
    held = []
    for sequence in every:
        other = best(one for one in every if one != sequence)
        held.append(Held(float(usual[sequence]), of(other, sequence, 1), other))
    return Outcome(trial, usual, tuned, held)


class SequenceScores:
    """Scores of trials on stored detections.

    Args:
        sequences: their detections and ground truth.
        config: the association and its usual settings.
        trials: what is changed.
        metrics: names of metrics of which the mean is the score; HOTA, DetA and AssA are the quickest by far.
    """

    def __init__(
        self,
        sequences: Sequence[StoredSequence],
        config: TrackerConfig,
        trials: Sequence[Trial],
        metrics: Sequence[str],
    ) -> None:
        self._sequences = sequences
        self._config = config
        self._trials = trials
        self._metrics = metrics
        self._truth = [read_ground_truth(sequence.gt)[0] for sequence in sequences]

    def __call__(self, trial: int, sequence: int, share: float) -> float:
        """Track the first frames of a sequence, and return the score."""
        stored, truth = self._sequences[sequence], self._truth[sequence]
        last = math.ceil(share * stored.last_frame)
        rows = _track(stored, self._config.override(self._trials[trial]), last)
        truth = truth[truth[:, FRAME] <= last]
        if set(self._metrics) <= {"HOTA", "DetA", "AssA"}:
            values = count_hota(overlaps(truth, rows)).scores()
        else:
            values = combine([score_boxes(truth, rows)])
        return float(np.mean([values[name] for name in self._metrics]))


def _track(stored: StoredSequence, config: TrackerConfig, last: int) -> np.ndarray:
    """Return the tracks [N, 10] of the frames up to the last one."""
    tracker = SequenceTracker(config, stored.frame_rate)
    nobody = Detections.empty(max((frame.embeddings.shape[1] for frame in stored.frames.values()), default=0))
    rows = [np.zeros((0, MAX_COLUMNS))]
    for number in range(1, last + 1):
        tracks = with_size(tracker.update((number - 1) / stored.frame_rate, stored.frames.get(number, nobody)))
        frame = np.full((len(tracks.ids), MAX_COLUMNS), -1.0)
        frame[:, 0], frame[:, 1], frame[:, 2:6], frame[:, 6] = number, tracks.ids, tracks.boxes, tracks.scores
        rows.append(frame)
    return np.concatenate(rows)
