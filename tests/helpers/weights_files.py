"""Small weights files: written, compared, refused."""

import pickle

import numpy as np
import pytest

from tracker.errors import ModelError
from tracker.models.pdparams import load_pdparams

WEIGHT = np.arange(6, dtype=np.float32).reshape(2, 3)
PARAMETERS = {"linear.weight": WEIGHT, "linear.bias": np.float32([1, -1, 0.5]), "scale": np.array(2.0)}


def write(path, content, protocol=4):
    path.write_bytes(pickle.dumps(content, protocol=protocol))
    return path


def refused(path):
    """The message with which a file is refused: one line that names the file."""
    with pytest.raises(ModelError) as caught:
        load_pdparams(path)
    message = str(caught.value)
    assert "\n" not in message, message
    assert str(path) in message, message
    return message


def assert_same(found, expected):
    assert list(found) == list(expected), list(found)
    for name, array in expected.items():
        assert found[name].dtype == array.dtype, name
        assert found[name].shape == array.shape, name
        np.testing.assert_array_equal(found[name], array)
