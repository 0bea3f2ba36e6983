"""What all associations have in common."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers.crowds import crowd, with_embeddings
from tracker.association.base import make_tracker
from tracker.settings.tracking import TrackerConfig


def all_tracks(frames, config):
    tracker = make_tracker(config, 30.0)
    return [tracker.update(frame) for frame in frames]


@pytest.mark.parametrize("association", ["jde", "fused", "byte"])
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), conf_thres=st.sampled_from([0.0, 0.1, 0.5, 0.7]))
def test_the_embedding_of_a_low_confidence_detection_is_never_used(association, seed, conf_thres):
    """That is why none is computed for it."""
    frames = crowd(seed, people=8, frames=20)
    config = TrackerConfig(association=association, conf_thres=conf_thres)
    without = [
        with_embeddings(frame, np.where(frame.scores.astype(float)[:, None] > conf_thres, frame.embeddings, 0))
        for frame in frames
    ]
    for found, expected in zip(all_tracks(without, config), all_tracks(frames, config), strict=True):
        for ours, theirs in zip(vars(found).values(), vars(expected).values()):
            np.testing.assert_array_equal(ours, theirs)
