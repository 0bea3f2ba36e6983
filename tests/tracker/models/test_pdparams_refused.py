"""Weights files that are hostile, broken or something else: refused in one line, nothing is run."""

import os
import pickle
import struct
import tracemalloc
import zipfile

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.helpers.weights_files import PARAMETERS, WEIGHT, assert_same, refused, write
from tracker.errors import ModelError
from tracker.models.pdparams import load_pdparams


class Call:
    """Pickles as a call of ``function`` named ``module.name``, without needing it here."""

    def __init__(self, function, *arguments):
        self.function = function
        self.arguments = arguments

    def __reduce__(self):
        return self.function, self.arguments


def call(module, name, arguments, protocol=2):
    """A pickle which calls ``module.name(*arguments)``, written by hand for names which cannot be imported."""
    if protocol == 2:
        head = b"\x80\x02c" + f"{module}\n{name}\n".encode()
    else:
        head = b"\x80\x04" + b"".join(b"\x8c" + bytes([len(t)]) + t.encode() for t in (module, name)) + b"\x93"
    return head + pickle.dumps(arguments, protocol=2)[2:-1] + b"R."


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
        ("tracker.models.pdparams", "load_pdparams"),
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
    monkeypatch.setattr("tracker.models.pdparams.np.frombuffer", fail)
    assert "MemoryError" in refused(path)
