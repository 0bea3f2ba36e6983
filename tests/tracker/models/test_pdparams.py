"""Weights files: what paddle writes is read back and compared with the network."""

import collections

import numpy as np
import pytest

from tests.helpers.weights_files import PARAMETERS, WEIGHT, assert_same, write
from tracker.errors import ModelError
from tracker.models.pdparams import check_parameters, load_pdparams


@pytest.fixture(scope="module")
def paddle(dynamic_mode):
    import paddle

    return paddle


@pytest.fixture(scope="module")
def layer(paddle):
    return paddle.nn.Sequential(paddle.nn.Conv2D(1, 2, 3), paddle.nn.BatchNorm2D(2))


# ---- what paddle writes


@pytest.mark.parametrize("protocol", [2, 3, 4])
def test_state_dict_saved_by_paddle(paddle, layer, tmp_path, protocol):
    path = tmp_path / "small.pdparams"
    paddle.save(layer.state_dict(), str(path), protocol=protocol)
    assert_same(load_pdparams(path), {name: value.numpy() for name, value in layer.state_dict().items()})


def test_named_tensors_saved_by_paddle(paddle, layer, tmp_path):
    """A dict with something besides tensors makes paddle write (name, array) tuples."""
    path = tmp_path / "named.pdparams"
    paddle.save({**layer.state_dict(), "plain": np.ones(2, np.float32)}, str(path))
    assert b"tuple" in path.read_bytes()
    expected = {name: value.numpy() for name, value in layer.state_dict().items()}
    assert_same(load_pdparams(path), {**expected, "plain": np.ones(2, np.float32)})


def test_network_takes_what_was_read(paddle, layer, tmp_path):
    path = tmp_path / "small.pdparams"
    paddle.save(layer.state_dict(), str(path))
    other = paddle.nn.Sequential(paddle.nn.Conv2D(1, 2, 3), paddle.nn.BatchNorm2D(2))
    assert other.set_state_dict(load_pdparams(path)) == ([], [])
    np.testing.assert_array_equal(other[0].weight.numpy(), layer[0].weight.numpy())


@pytest.mark.parametrize("protocol", [2, 3, 4])
@pytest.mark.parametrize(
    "array",
    [
        pytest.param(np.zeros((0, 3), np.float32), id="no values"),
        pytest.param(np.array(1.5), id="no dimensions"),
        pytest.param(np.asfortranarray(WEIGHT), id="fortran order"),
        pytest.param(WEIGHT.astype(">f4"), id="big endian"),
        pytest.param(WEIGHT.astype(np.float16), id="half"),
        pytest.param(np.arange(3), id="int64"),
        pytest.param(np.array([True, False]), id="bool"),
        pytest.param(np.float32(3), id="numpy scalar"),
    ],
)
def test_arrays_of_every_plain_kind(tmp_path, array, protocol):
    found = load_pdparams(write(tmp_path / "a.pdparams", {"a": array}, protocol))
    assert_same(found, {"a": np.asarray(array)})


def test_names_of_numpy_2(tmp_path):
    path = write(tmp_path / "a.pdparams", PARAMETERS, protocol=2)
    data = path.read_bytes()
    path.write_bytes(data.replace(b"cnumpy.core.multiarray", b"cnumpy._core.multiarray"))
    assert path.read_bytes() != data
    assert_same(load_pdparams(path), PARAMETERS)


def test_bytes_saved_under_python_2(tmp_path):
    raw = WEIGHT.tobytes()
    path = write(tmp_path / "a.pdparams", {"w": WEIGHT}, protocol=3)
    data = path.read_bytes()
    old = b"U" + bytes([len(raw)]) + raw  # SHORT_BINSTRING, the str of Python 2
    path.write_bytes(data.replace(b"C" + old[1:], old))
    assert path.read_bytes() != data
    assert_same(load_pdparams(path), {"w": WEIGHT})


def test_ordered_dict_and_name_table(tmp_path):
    content = collections.OrderedDict(PARAMETERS)
    content["StructuredToParameterName@@"] = {"linear.weight": "linear_0.w_0"}
    assert_same(load_pdparams(write(tmp_path / "a.pdparams", content)), PARAMETERS)


# ---- parameters against a network


EXPECTED = {name: array.shape for name, array in PARAMETERS.items()}


def complaint(found, expected=EXPECTED):
    with pytest.raises(ModelError) as caught:
        check_parameters(found, expected, "w.pdparams")
    return str(caught.value)


def test_parameters_which_fit():
    check_parameters(PARAMETERS, EXPECTED, "w.pdparams")


def test_every_difference_is_counted_and_the_first_are_named():
    found = {"other": WEIGHT, "linear.bias": PARAMETERS["linear.bias"], "scale": np.ones(1)}
    assert complaint(found) == (
        "w.pdparams is not for this network: 1 of 3 parameters missing ('linear.weight'), 1 of 3 unexpected ('other'), "
        "1 of 3 of another shape ('scale' has shape [1] where [] is needed)"
    )
    message = complaint({}, {f"layer{i}.w": (1,) for i in range(120)})
    assert "120 of 120 parameters missing ('layer0.w', 'layer1.w', 'layer2.w', ...)" in message


@pytest.mark.parametrize("dtype", [np.int64, np.uint16, bool])
def test_parameters_are_floats(dtype):
    message = complaint({**PARAMETERS, "linear.weight": WEIGHT.astype(dtype)})
    assert "'linear.weight'" in message and np.dtype(dtype).name in message


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_parameters_are_finite(value):
    weight = WEIGHT.copy()
    weight[1, 2] = value
    assert "'linear.weight' has 1 of 6" in complaint({**PARAMETERS, "linear.weight": weight})
