"""A camera that is interrupted again and again: the run goes on, uses no more for it, and leaves nothing behind."""

import pytest

from tests.attacks.attacking import count
from tests.attacks.cameras.soak import soak

pytestmark = [pytest.mark.attack, pytest.mark.slow]

MINUTES = count("SOAK_MINUTES", 5)
INTERRUPTIONS = count("SOAK_INTERRUPTIONS", 50)
MEGABYTES = 5


def test_a_camera_that_is_interrupted_again_and_again(tmp_path):
    seen = soak(MINUTES, INTERRUPTIONS, tmp_path)
    assert seen["reconnects"] >= 0.9 * INTERRUPTIONS, seen
    assert seen["ids_rise"] and seen["people"] > 10 * MINUTES, seen
    assert sum(seen["videos"].values()) == seen["frames"] and all(seen["videos"].values()), seen
    assert seen["growth"] <= MEGABYTES, seen
    assert set(seen["threads_left"]) <= {"tqdm_monitor"}, seen
    assert seen["files"]["after"] <= seen["files"]["before"], seen
