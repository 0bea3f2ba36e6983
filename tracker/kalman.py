"""Constant-velocity Kalman filter over a whole table of tracks at once.

State of a track: (x, y, a, h, vx, vy, va, vh) with the box centre (x, y) in pixels, aspect ratio a = width / height,
height h in pixels, and their change per frame. The box (x, y, a, h) is measured directly. Noise grows with the height
of the box, as in DeepSORT (Wojke et al., "Simple online and realtime tracking with a deep association metric", 2017).

Every matrix of this model couples a coordinate only with its own velocity, so the 8x8 covariance is four independent
2x2 blocks. A covariance is therefore kept as [N, 3, 4]: the position variances, the position-velocity covariances and
the velocity variances of the four coordinates. The arithmetic is the dense filter's, without its zeros.
"""

from __future__ import annotations

import numpy as np

POSITION_WEIGHT = 1.0 / 20  # standard deviation of a position, as a share of the box height
VELOCITY_WEIGHT = 1.0 / 160
CHI2_95_4DOF = 9.4877  # 0.95 quantile of the chi-square distribution with 4 degrees of freedom: the motion gate


def _std(height: np.ndarray, weight: float, aspect: float) -> np.ndarray:
    """[N, 4] standard deviations of (x, y, a, h) for boxes of the given heights."""
    std = np.repeat((weight * height)[:, None], 4, axis=1)
    std[:, 2] = aspect
    return std


def initiate(measurement: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """State of new tracks from their first boxes, velocities unknown and taken as 0.

    Args:
        measurement: [N, 4] boxes (x, y, a, h).

    Returns:
        Mean [N, 8] and covariance [N, 3, 4], float64.
    """
    measurement = np.asarray(measurement, dtype=np.float64)
    height = measurement[:, 3]
    mean = np.concatenate([measurement, np.zeros_like(measurement)], axis=1)
    covariance = np.zeros((len(mean), 3, 4))
    covariance[:, 0] = _std(height, 2 * POSITION_WEIGHT, 1e-2) ** 2
    covariance[:, 2] = _std(height, 10 * VELOCITY_WEIGHT, 1e-5) ** 2
    return mean, covariance


def predict(mean: np.ndarray, covariance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """One frame ahead: x' = F x, P' = F P F^T + Q.

    Args:
        mean: [N, 8].
        covariance: [N, 3, 4].

    Returns:
        New arrays of the same shapes.
    """
    height = mean[:, 3]
    position, cross, velocity = covariance[:, 0], covariance[:, 1], covariance[:, 2]
    ahead = mean.copy()
    ahead[:, :4] += mean[:, 4:]
    grown = np.empty_like(covariance)
    grown[:, 0] = position + 2 * cross + velocity + _std(height, POSITION_WEIGHT, 1e-2) ** 2
    grown[:, 1] = cross + velocity
    grown[:, 2] = velocity + _std(height, VELOCITY_WEIGHT, 1e-5) ** 2
    return ahead, grown


def _innovation_variance(mean: np.ndarray, covariance: np.ndarray) -> np.ndarray:
    """[N, 4] diagonal of S = H P H^T + R."""
    return covariance[:, 0] + _std(mean[:, 3], POSITION_WEIGHT, 1e-1) ** 2


def update(mean: np.ndarray, covariance: np.ndarray, measurement: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Correct predicted states by measured boxes: K = P H^T S^-1, x' = x + K (z - H x), P' = P - K S K^T.

    Args:
        mean: [N, 8].
        covariance: [N, 3, 4].
        measurement: [N, 4] boxes (x, y, a, h), row by row for the same tracks.

    Returns:
        New arrays of the shapes of mean and covariance.
    """
    variance = _innovation_variance(mean, covariance)
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
    """The pairs of tracks and measured boxes that the predicted motion allows.

    A pair is allowed while its squared Mahalanobis distance is at most the 0.95 quantile of the chi-square
    distribution. States or boxes that are not finite pass no gate.

    Args:
        mean: [N, 8].
        covariance: [N, 3, 4].
        measurement: [M, 4] boxes (x, y, a, h).

    Returns:
        Rows [P], columns [P] and squared distances [P] of the allowed pairs, row by row.
    """
    precision = 1.0 / _innovation_variance(mean, covariance)
    # the position alone rules most pairs out: the rest is computed for the few that are left
    x = measurement[None, :, 0] - mean[:, 0, None]
    y = measurement[None, :, 1] - mean[:, 1, None]
    distance = x * x * precision[:, 0, None] + y * y * precision[:, 1, None]
    rows, columns = np.nonzero(distance <= CHI2_95_4DOF)
    rest = (measurement[columns, 2:] - mean[rows, 2:4]) ** 2 * precision[rows, 2:]
    total = distance[rows, columns] + rest.sum(axis=1)
    allowed = total <= CHI2_95_4DOF
    return rows[allowed], columns[allowed], total[allowed]
