"""The weights of the bundled folder, which are stored in 16 bits, against those that it was made from."""

import numpy as np
import pytest

from tests.helpers.paths import ROOT
from tracker.detection.backends.openvino_network import openvino_core
from tracker.models.locate import COMPACT
from tracker.models.pdparams import load_pdparams


def stored(graph):
    """[(whole numbers int16, steps)] of the weights of a graph, as they lie in its file."""
    model = openvino_core().read_model(COMPACT / f"{graph}.pdmodel", COMPACT / f"{graph}.pdiparams")
    found = []
    for node in model.get_ops():
        if node.get_type_name() == "Constant" and node.get_element_type().get_type_name() == "i16":
            (cast,) = (target.get_node() for target in node.output(0).get_target_inputs())
            (product,) = (target.get_node() for target in cast.output(0).get_target_inputs())
            assert (cast.get_type_name(), product.get_type_name()) == ("Convert", "Multiply")
            (steps,) = (value.get_node() for value in product.input_values() if value.get_node() != cast)
            found.append((node.data.copy(), steps.data.copy()))
    return found


@pytest.fixture(scope="module")
def weights():
    """The filters and matrices that the folder was made from."""
    arrays = load_pdparams(ROOT / "weights" / "jde_compact.pdparams")
    return [value for value in arrays.values() if value.ndim > 1]


def test_weights_are_off_by_half_a_step_at_most(weights):
    made = stored("model") + stored("embed")
    assert len(made) == len(weights)
    for whole, steps in made:
        near = [value for value in weights if value.shape == whole.shape]
        errors = [np.abs(value - whole * steps) - 0.502 * steps for value in near]  # float32 rounds too
        assert min(error.max() for error in errors) <= 0


def test_each_output_channel_uses_all_16_bits():
    for whole, steps in stored("model") + stored("embed"):
        inner = tuple(range(1, whole.ndim)) if whole.ndim == 4 else 0
        most = np.abs(whole.astype(int)).max(axis=inner)
        assert set(most.ravel()) <= {0, 32767}
        assert steps.size == most.size


def test_no_parameter_is_a_half_float():
    """With one of them Paddle leaves out its optimisation, see `tracker.models.networks.sixteen_bits`."""
    for graph in ("model", "embed"):
        model = openvino_core().read_model(COMPACT / f"{graph}.pdmodel", COMPACT / f"{graph}.pdiparams")
        assert {node.get_element_type().get_type_name() for node in model.get_ops()} <= {"f32", "i16", "i64", "i32"}
