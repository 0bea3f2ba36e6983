"""Weights files: what paddle writes is read back, and nothing else gets in."""

import collections
import os
import pickle
import struct
import tracemalloc
import zipfile

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tracker.errors import ModelError
from tracker.pdparams import check_parameters, load_pdparams

WEIGHT = np.arange(6, dtype=np.float32).reshape(2, 3)
PARAMETERS = {"linear.weight": WEIGHT, "linear.bias": np.float32([1, -1, 0.5]), "scale": np.array(2.0)}


@pytest.fixture(scope="module")
def paddle():
    return pytest.importorskip("paddle")


@pytest.fixture(scope="module")
def layer(paddle):
    return paddle.nn.Sequential(paddle.nn.Conv2D(1, 2, 3), paddle.nn.BatchNorm2D(2))


class Call:
    """Pickles as a call of ``function`` named ``module.name``, without needing it here."""

    def __init__(self, function, *arguments):
        self.function = function
        self.arguments = arguments

    def __reduce__(self):
        return self.function, self.arguments


def write(path, content, protocol=4):
    path.write_bytes(pickle.dumps(content, protocol=protocol))
    return path


def call(module, name, arguments, protocol=2):
    """A pickle which calls ``module.name(*arguments)``, written by hand for names which cannot be imported."""
    if protocol == 2:
        head = b"\x80\x02c" + f"{module}\n{name}\n".encode()
    else:
        head = b"\x80\x04" + b"".join(b"\x8c" + bytes([len(t)]) + t.encode() for t in (module, name)) + b"\x93"
    return head + pickle.dumps(arguments, protocol=2)[2:-1] + b"R."


def refused(path):
    """The message with which a file is refused: one line that names the file."""
    with pytest.raises(ModelError) as caught:
        load_pdparams(path)
    message = str(caught.value)
    assert "\n" not in message
    assert str(path) in message
    return message


def assert_same(found, expected):
    assert list(found) == list(expected)
    for name, array in expected.items():
        assert found[name].dtype == array.dtype, name
        assert found[name].shape == array.shape, name
        np.testing.assert_array_equal(found[name], array)


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


def test_dense_tensor_is_refused(paddle, layer, tmp_path):
    path = tmp_path / "dense.pdparams"
    paddle.save([layer[0].weight.value().get_tensor()], str(path))
    assert "eval" in refused(path)


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


def test_sliced_parameters_are_joined(tmp_path):
    content = {
        "bias": np.ones(2, np.float32),
        "w@@.0": WEIGHT.ravel()[:4],
        "w@@.1": WEIGHT.ravel()[4:],
        "UnpackBigParamInfor@@": {"w": {"OriginShape": (2, 3), "slices": ["w@@.0", "w@@.1"]}},
    }
    assert_same(load_pdparams(write(tmp_path / "a.pdparams", content, 2)), {"bias": content["bias"], "w": WEIGHT})


@pytest.mark.parametrize(
    "table",
    [
        5,
        {"w": 5},
        {"w": {"OriginShape": (7,), "slices": ["s"]}},
        {"w": {"OriginShape": (1 << 70,), "slices": ["s"]}},
        {"w": {"OriginShape": (6,), "slices": ["?"]}},
        {"w": {"OriginShape": (0,), "slices": []}},
    ],
)
def test_slices_which_do_not_fit_are_damage(tmp_path, table):
    content = {"s": WEIGHT.ravel(), "UnpackBigParamInfor@@": table}
    assert "damaged" in refused(write(tmp_path / "a.pdparams", content))


# ---- what must not get in


@pytest.mark.parametrize("protocol", [2, 4])
@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("os", "system"),
        ("posix", "system"),
        ("nt", "system"),
        ("builtins", "eval"),
        ("builtins", "exec"),
        ("__builtin__", "eval"),
        ("builtins", "getattr"),
        ("builtins", "dict.get"),
        ("subprocess", "Popen"),
        ("numpy", "load"),
        ("numpy", "fromfile"),
        ("numpy", "ndarray.tofile"),
        ("numpy", "core.multiarray._reconstruct"),
        ("numpy.core.multiarray", "fromstring"),
        ("numpy.core.multiarray", "__builtins__"),
        ("numpy.testing._private.utils", "runstring"),
        ("collections", "OrderedDict.fromkeys"),
        ("copyreg", "_reconstructor"),
        ("tracker.pdparams", "load_pdparams"),
    ],
)
def test_other_names_are_refused(tmp_path, module, name, protocol):
    path = tmp_path / "evil.pdparams"
    path.write_bytes(call(module, name, ("x",), protocol))
    message = refused(path)
    assert f"{module}.{name}" in message
    assert "refused" in message


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4, 5])
def test_nothing_is_run(tmp_path, protocol):
    mark = tmp_path / "was-here"
    content = {"x": Call(os.system, f"touch {mark}"), **PARAMETERS}
    message = refused(write(tmp_path / "evil.pdparams", content, protocol))
    assert "system" in message
    assert not mark.exists()


def test_names_by_the_oldest_opcodes_are_refused(tmp_path):
    path = tmp_path / "evil.pdparams"
    path.write_bytes(b"(S'true'\nios\nsystem\n.")
    assert "os.system" in refused(path)


def test_a_long_name_with_line_breaks_stays_one_short_line(tmp_path):
    path = tmp_path / "evil.pdparams"
    name = "a\nb" * 40
    path.write_bytes(call("os", name, (), protocol=4))
    assert len(refused(path)) < 400


@pytest.mark.parametrize("opcode", [b"P1\n", b"\x80\x02K\x01Q"])
def test_persistent_objects_are_refused(tmp_path, opcode):
    path = tmp_path / "evil.pdparams"
    path.write_bytes(opcode + b".")
    assert "outside the file" in refused(path)


def array_pickle(dtype=b"f4", shape=(1,), raw=b"\0\0\0\0", kind=b"cnumpy\nndarray\n", order="<"):
    """The pickle of one array, put together by hand so that every part can be wrong."""

    def bare(value):
        return pickle.dumps(value, protocol=3)[2:-1].replace(b"q\x00", b"")

    rebuilt = b"cnumpy.core.multiarray\n_reconstruct\n" + kind + bare((0,)) + bare(b"b") + b"\x87R"
    typed = b"cnumpy\ndtype\n" + bare(dtype.decode()) + b"\x89\x88\x87R("
    typed += b"".join(map(bare, (3, order, None, None, None, -1, -1, 0))) + b"tb"
    return b"\x80\x03}" + bare("a") + rebuilt + b"(K\x01" + bare(shape) + typed + b"\x89" + bare(raw) + b"tbs."


def test_array_put_together_by_hand_is_read(tmp_path):
    path = tmp_path / "a.pdparams"
    path.write_bytes(array_pickle())
    assert_same(load_pdparams(path), {"a": np.zeros(1, np.float32)})


@pytest.mark.parametrize(
    ("parts", "reason"),
    [
        ({"dtype": b"O8"}, "O8"),
        ({"dtype": b"V4"}, "V4"),
        ({"dtype": b"S4"}, "S4"),
        ({"dtype": b"M8[ns]"}, "M8"),
        ({"dtype": b"f4,O"}, "f4,O"),
        ({"shape": (1 << 40,)}, "shape"),
        ({"shape": (-1,)}, "sizes"),
        ({"shape": (2,)}, "shape"),
        ({"shape": (1,) * 40}, "dim"),
        ({"shape": ("1",)}, "sizes"),
        ({"shape": 1}, "lacks"),
        ({"raw": b""}, "0 bytes"),
        ({"raw": [1]}, "bytes"),
        ({"kind": b"cnumpy\ndtype\n"}, "plain array"),
        ({"order": "O"}, "structured"),
    ],
)
def test_allowed_names_with_evil_arguments(tmp_path, parts, reason):
    path = tmp_path / "evil.pdparams"
    path.write_bytes(array_pickle(**parts))
    message = refused(path)
    assert "damaged" in message
    assert reason in message


def test_object_arrays_are_refused(tmp_path):
    content = {"a": np.array([{}, None], dtype=object)}
    assert "O8" in refused(write(tmp_path / "evil.pdparams", content))


@pytest.mark.parametrize("target", ["collections OrderedDict", "builtins tuple", "_codecs encode", "numpy dtype"])
@pytest.mark.parametrize("state", [{"x": 1}, ({}, {"__new__": 1}), ({}, {"__setstate__": 1})])
def test_a_file_cannot_alter_what_stands_in_for_a_name(tmp_path, target, state):
    module, name = target.split()
    path = tmp_path / "evil.pdparams"
    path.write_bytes(f"c{module}\n{name}\n".encode() + pickle.dumps(state, protocol=0)[:-1] + b"b.")
    refused(path)
    assert_same(load_pdparams(write(tmp_path / "good.pdparams", PARAMETERS, 2)), PARAMETERS)


# ---- files which are something else, or broken


def test_missing_file_and_folder(tmp_path):
    assert "No such file" in refused(tmp_path / "none.pdparams")
    assert "directory" in refused(tmp_path)


def test_other_formats(tmp_path):
    path = tmp_path / "w.pdparams"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("data.pkl", b"x")
    assert "zip" in refused(path)
    path.write_bytes(b"")
    assert "empty" in refused(path)
    safetensors = struct.pack("<Q", 0x180) + b'{"a": 1}'
    for data in (b"<!DOCTYPE html>", b"\x1f\x8b\x08\x00", b"\x00\x00\x00\x00", safetensors, b"N\n"):
        path.write_bytes(data)
        assert "not a .pdparams file" in refused(path)


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        ([WEIGHT], "list"),
        (WEIGHT, "array"),
        ("text", "str"),
        ({"epoch": 3}, "int"),
        ({"model": {"w": WEIGHT}}, "dict"),
        ({"w": [WEIGHT]}, "list"),
        ({"w": ("name", "other")}, "str"),
        ({("w",): WEIGHT}, "tuple"),
        ({3: WEIGHT}, "int"),
    ],
)
def test_content_other_than_a_flat_dict_of_arrays(tmp_path, content, kind):
    assert f"an object of type {kind} " in refused(write(tmp_path / "w.pdparams", content))


def test_an_array_without_values_is_refused(tmp_path):
    path = tmp_path / "w.pdparams"
    path.write_bytes(b"}U\x01acnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n)U\x01btRs.")
    assert "array without values named 'a'" in refused(path)


def test_every_truncation_is_refused(tmp_path):
    whole = pickle.dumps(PARAMETERS, protocol=4)
    path = tmp_path / "w.pdparams"
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        refused(path)


def test_bytes_after_the_end_are_damage(tmp_path):
    path = write(tmp_path / "w.pdparams", PARAMETERS)
    path.write_bytes(path.read_bytes() + b"\0")
    assert "damaged" in refused(path)


@settings(max_examples=400, deadline=2000, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    protocol=st.sampled_from([2, 3, 4]),
    flips=st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 7)), min_size=1, max_size=4),
)
def test_flipped_bits_give_arrays_or_one_line(tmp_path, protocol, flips):
    data = bytearray(pickle.dumps(PARAMETERS, protocol=protocol))
    for place, bit in flips:
        data[place % len(data)] ^= 1 << bit
    path = tmp_path / "w.pdparams"
    path.write_bytes(data)
    try:
        found = load_pdparams(path)
    except ModelError as error:
        assert "\n" not in str(error)
    else:
        assert all(type(name) is str and type(array) is np.ndarray for name, array in found.items())
        assert all(array.dtype.kind in "biuf" for array in found.values())


@settings(max_examples=200, deadline=2000, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=60))
def test_random_bytes_are_refused_or_harmless(tmp_path, data):
    path = tmp_path / "w.pdparams"
    path.write_bytes(b"\x80\x02" + data)
    try:
        found = load_pdparams(path)
    except ModelError:
        return
    assert isinstance(found, dict)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"\x80\x02Nr\xff\xff\xff\x0f.", id="memo index"),
        pytest.param(b"\x80\x02Np4294967295\n.", id="memo index as text"),
        pytest.param(b"\x80\x04\x8e" + struct.pack("<Q", 1 << 40) + b".", id="bytes"),
        pytest.param(b"\x80\x05\x96" + struct.pack("<Q", 1 << 40) + b".", id="bytearray"),
        pytest.param(b"\x80\x04\x8d" + struct.pack("<Q", 1 << 62) + b".", id="text"),
        pytest.param(b"\x80\x04\x95" + struct.pack("<Q", 1 << 40) + b"N.", id="frame"),
    ],
)
def test_a_damaged_length_takes_no_memory(tmp_path, data):
    path = tmp_path / "w.pdparams"
    path.write_bytes(data)
    tracemalloc.start()
    try:
        refused(path)
        assert tracemalloc.get_traced_memory()[1] < 1 << 22
    finally:
        tracemalloc.stop()


def test_running_out_of_memory_is_one_line(tmp_path, monkeypatch):
    def fail(*arguments):
        raise MemoryError

    path = write(tmp_path / "w.pdparams", PARAMETERS)
    monkeypatch.setattr("tracker.pdparams.np.frombuffer", fail)
    assert "MemoryError" in refused(path)


# ---- parameters against a network

EXPECTED = {name: array.shape for name, array in PARAMETERS.items()}


def complaint(found, expected=EXPECTED):
    with pytest.raises(ModelError) as caught:
        check_parameters(found, expected, "w.pdparams")
    message = str(caught.value)
    assert message.startswith("w.pdparams")
    assert "\n" not in message
    return message


def test_parameters_which_fit():
    check_parameters(PARAMETERS, EXPECTED, "w.pdparams")
    check_parameters(PARAMETERS, {name: list(shape) for name, shape in EXPECTED.items()}, "w.pdparams")


def test_missing_and_unexpected_names():
    found = {"other": WEIGHT, "linear.bias": PARAMETERS["linear.bias"]}
    assert complaint(found) == (
        "w.pdparams is not for this network: 2 of 3 parameters missing ('linear.weight', 'scale'), "
        "1 of 2 unexpected ('other')"
    )


def test_shapes_which_differ():
    found = {**PARAMETERS, "linear.weight": WEIGHT.T, "scale": np.ones(1)}
    assert complaint(found) == (
        "w.pdparams is not for this network: 2 of 3 of another shape ('linear.weight' has shape [3, 2] where [2, 3] is "
        "needed, 'scale' has shape [1] where [] is needed)"
    )


def test_no_more_than_three_names():
    message = complaint({}, {f"layer{i}.w": (1,) for i in range(120)})
    assert "120 of 120 parameters missing ('layer0.w', 'layer1.w', 'layer2.w', ...)" in message
    assert "layer3" not in message


@pytest.mark.parametrize("dtype", [np.int64, np.uint16, bool])
def test_parameters_are_floats(dtype):
    message = complaint({**PARAMETERS, "linear.weight": WEIGHT.astype(dtype)})
    assert "'linear.weight'" in message
    assert np.dtype(dtype).name in message


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_parameters_are_finite(value):
    weight = WEIGHT.copy()
    weight[1, 2] = value
    message = complaint({**PARAMETERS, "linear.weight": weight})
    assert "'linear.weight' has 1 of 6 values that are not finite" in message
