"""Constant-velocity Kalman filter over a whole table of tracks at once.

State of a track: four coordinates of its box and their change per frame period; the box is measured directly. There
are two choices of coordinates, each with its noise. ``ASPECT``: (x, y, a, h) with the box centre (x, y) in pixels,
aspect ratio a = width / height and height h in pixels; noise grows with the height, as in DeepSORT (Wojke et al.,
"Simple online and realtime tracking with a deep association metric", 2017). ``SIZE``: (x, y, w, h); the noise of x and
w grows with the width, that of y and h with the height, as in BoT-SORT (Aharon et al., arXiv 2206.14651).

Every matrix of these models couples a coordinate only with its own velocity, so the 8x8 covariance is four independent
2x2 blocks. A covariance is therefore kept as [N, 3, 4]: the position variances, the position-velocity covariances and
the velocity variances of the four coordinates. The arithmetic is the dense filter's, without its zeros.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

POSITION_WEIGHT = 1.0 / 20  # standard deviation of a position, as a share of the box height
VELOCITY_WEIGHT = 1.0 / 160
CHI2_95_4DOF = 9.4877  # 0.95 quantile of the chi-square distribution with 4 degrees of freedom: the motion gate
MAX_STEPS = 1000  # of one prediction; a longer time is divided into this many steps


@dataclass(frozen=True)
class Noise:
    """Standard deviations of the four coordinates: a share of the box's size, or a constant where that has no unit.

    Attributes:
        aspect: whether the third coordinate is the aspect ratio, with constant noise, and not the width.
    """

    aspect: bool

    def start(self, mean: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return [N, 4] of the coordinates and [N, 4] of the velocities of new tracks."""
        return self._std(mean, 2 * POSITION_WEIGHT, 1e-2), self._std(mean, 10 * VELOCITY_WEIGHT, 1e-5)

    def process(self, mean: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return [N, 4] of what a frame period adds to the coordinates, and [N, 4] to the velocities."""
        return self._std(mean, POSITION_WEIGHT, 1e-2), self._std(mean, VELOCITY_WEIGHT, 1e-5)

    def measurement(self, mean: np.ndarray) -> np.ndarray:
        """Return [N, 4] of a measured box."""
        return self._std(mean, POSITION_WEIGHT, 1e-1)

    def _std(self, mean: np.ndarray, weight: float, constant: float) -> np.ndarray:
        std = np.empty((len(mean), 4))
        std[:, 1] = std[:, 3] = weight * mean[:, 3]
        if self.aspect:
            std[:, 0], std[:, 2] = std[:, 3], constant
        else:
            std[:, 0] = std[:, 2] = weight * mean[:, 2]
        return std


ASPECT, SIZE = Noise(aspect=True), Noise(aspect=False)


def initiate(measurement: np.ndarray, noise: Noise = ASPECT) -> tuple[np.ndarray, np.ndarray]:
    """Return the state of new tracks from their first boxes; velocities are unknown and taken as 0.

    Args:
        measurement: [N, 4] boxes in the coordinates of ``noise``.
        noise: deviations of the model.

    Returns:
        Mean [N, 8] and covariance [N, 3, 4], float64.
    """
    measurement = np.asarray(measurement, dtype=np.float64)
    mean = np.concatenate([measurement, np.zeros_like(measurement)], axis=1)
    covariance = np.zeros((len(mean), 3, 4))
    position, velocity = noise.start(mean)
    covariance[:, 0], covariance[:, 2] = position**2, velocity**2
    return mean, covariance


def predict(
    mean: np.ndarray, covariance: np.ndarray, noise: Noise = ASPECT, elapsed: float = 1.0
) -> tuple[np.ndarray, np.ndarray]:
    """Predict the states some time ahead, in steps of one frame period and one of what is left.

    Args:
        mean: [N, 8] means of the states.
        covariance: [N, 3, 4] their covariances.
        noise: deviations of the model.
        elapsed: the time in frame periods, above 0.

    Returns:
        New mean and covariance of the same shapes.
    """
    for step in _steps(elapsed):
        mean, covariance = _predict_step(mean, covariance, noise, step)
    return mean, covariance


def _steps(elapsed: float) -> list[float]:
    if elapsed > MAX_STEPS:
        return [elapsed / MAX_STEPS] * MAX_STEPS
    whole = int(elapsed)
    rest = elapsed - whole
    return [1.0] * whole + ([rest] if rest else [])


def _predict_step(mean: np.ndarray, covariance: np.ndarray, noise: Noise, dt: float) -> tuple[np.ndarray, np.ndarray]:
    """Predict one step: x' = F x, P' = F P F^T + dt Q, where F adds dt times the velocities to the positions."""
    added, added_velocity = noise.process(mean)
    position, cross, velocity = covariance[:, 0], covariance[:, 1], covariance[:, 2]
    ahead = mean.copy()
    ahead[:, :4] += dt * mean[:, 4:]
    grown = np.empty_like(covariance)
    grown[:, 0] = position + 2 * dt * cross + dt**2 * velocity + dt * added**2
    grown[:, 1] = cross + dt * velocity
    grown[:, 2] = velocity + dt * added_velocity**2
    return ahead, grown


def update(
    mean: np.ndarray,
    covariance: np.ndarray,
    measurement: np.ndarray,
    noise: Noise = ASPECT,
    noise_scale: np.ndarray | float = 1.0,
) -> tuple[np.ndarray, np.ndarray]:
    """Correct predicted states by measured boxes: K = P H^T S^-1, x' = x + K (z - H x), P' = P - K S K^T.

    Args:
        mean: [N, 8] means of the predicted states.
        covariance: [N, 3, 4] their covariances.
        measurement: [N, 4] boxes in the coordinates of ``noise``, row by row for the same tracks.
        noise: deviations of the model.
        noise_scale: [N, 1] or one number: factor on the variance of the measurement, as in the NSA Kalman filter
            (Du et al., "GIAOTracker", ICCV workshops 2021).

    Returns:
        New arrays of the shapes of mean and covariance.
    """
    variance = covariance[:, 0] + noise_scale * noise.measurement(mean) ** 2
    gain = covariance[:, :2] / variance[:, None]  # [N, 2, 4]: for the position and for the velocity
    innovation = measurement - mean[:, :4]
    corrected = mean + (gain * innovation[:, None]).reshape(len(mean), 8)
    shrunk = np.empty_like(covariance)
    shrunk[:, 0] = covariance[:, 0] - gain[:, 0] ** 2 * variance
    shrunk[:, 1] = covariance[:, 1] - gain[:, 0] * gain[:, 1] * variance
    shrunk[:, 2] = covariance[:, 2] - gain[:, 1] ** 2 * variance
    return corrected, shrunk


def gate(
    mean: np.ndarray, covariance: np.ndarray, measurement: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the pairs of tracks and measured boxes (``ASPECT``) that the predicted motion allows.

    A pair is allowed while its squared Mahalanobis distance is at most the 0.95 quantile of the chi-square
    distribution. States or boxes that are not finite pass no gate.

    Args:
        mean: [N, 8] means of the predicted states.
        covariance: [N, 3, 4] their covariances.
        measurement: [M, 4] boxes (x, y, a, h).

    Returns:
        Rows [P], columns [P] and squared distances [P] of the allowed pairs, row by row.
    """
    precision = 1.0 / (covariance[:, 0] + ASPECT.measurement(mean) ** 2)
    # the position alone rules most pairs out: the rest is computed for the few that are left
    x = measurement[None, :, 0] - mean[:, 0, None]
    y = measurement[None, :, 1] - mean[:, 1, None]
    distance = x * x * precision[:, 0, None] + y * y * precision[:, 1, None]
    rows, columns = np.nonzero(distance <= CHI2_95_4DOF)
    rest = (measurement[columns, 2:] - mean[rows, 2:4]) ** 2 * precision[rows, 2:]
    total = distance[rows, columns] + rest.sum(axis=1)
    allowed = total <= CHI2_95_4DOF
    return rows[allowed], columns[allowed], total[allowed]
