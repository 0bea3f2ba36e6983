"""Weights files that are hostile, broken or something else: refused in one line, nothing is run."""

import os
import pickle
import struct
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.helpers.weights_files import PARAMETERS, WEIGHT, assert_same, refused, write
from tracker.errors import ModelError
from tracker.models.pdparams import load_pdparams


def pickled(value):
    """The opcodes that put a value on the unpickler's stack, with no memo."""
    return pickle.dumps(value, protocol=3)[2:-1].replace(b"q\x00", b"")


def named(module, name):
    return f"c{module}\n{name}\n".encode()


def save(path, opcodes, protocol=3):
    path.write_bytes(bytes([0x80, protocol]) + opcodes + b".")
    return path


def array_opcodes(code="f4", shape=(1,), data=b"\0\0\0\0", order="<", flags=0):
    """A dict of one array, as numpy pickles it, but every part may be wrong."""
    rebuilt = named("numpy.core.multiarray", "_reconstruct") + named("numpy", "ndarray") + b"K\x00\x85C\x01b\x87R"
    dtype = named("numpy", "dtype") + pickled(code) + b"\x89\x88\x87R("
    dtype += b"".join(map(pickled, (3, order, None, None, None, -1, -1, flags))) + b"tb"
    return b"}" + pickled("a") + rebuilt + b"(K\x01" + pickled(shape) + dtype + b"\x89" + pickled(data) + b"tbs"


# ---- hostile


class Hostile:
    """Pickles as a call that leaves a file behind."""

    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return os.system, (f"touch {self.mark}",)


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4, 5])
def test_nothing_is_run(tmp_path, protocol):
    mark = tmp_path / "was-here"
    path = write(tmp_path / "evil.pdparams", {"x": Hostile(mark), **PARAMETERS}, protocol)
    refused(path)
    assert not mark.exists()
    pickle.loads(path.read_bytes())
    assert mark.exists(), "the file is harmless, this test shows nothing"


@pytest.mark.parametrize(
    "name",
    [
        *("os system", "posix system", "subprocess Popen", "builtins eval", "__builtin__ exec", "builtins getattr"),
        *("builtins dict.get", "builtins bytearray", "collections OrderedDict.fromkeys", "copyreg _reconstructor"),
        *("numpy load", "numpy zeros", "numpy ndarray.tofile", "numpy.core.multiarray fromstring"),
        *("numpy.core.multiarray __builtins__", "numpy.testing._private.utils runstring"),
        "tracker.models.pdparams load_pdparams",
    ],
)
def test_other_names_are_refused(tmp_path, name):
    module, attribute = name.split()
    for opcodes in (named(module, attribute), pickled(module) + pickled(attribute) + b"\x93"):
        message = refused(save(tmp_path / "evil.pdparams", opcodes + pickled(("x",)) + b"R", protocol=4))
        assert f"{module}.{attribute}" in message


def test_names_by_the_oldest_opcode_are_refused(tmp_path):
    assert "os.system" in refused(save(tmp_path / "evil.pdparams", b"(S'true'\nios\nsystem\n"))


def test_a_long_name_stays_one_short_line(tmp_path):
    opcodes = pickled("os") + pickled("a\nb" * 40) + b"\x93"
    assert len(refused(save(tmp_path / "evil.pdparams", opcodes, protocol=4))) < 400


@pytest.mark.parametrize("opcodes", [b"Pid\n", b"K\x01Q", b"\x82\x01"], ids=["persistent", "binary", "extension"])
def test_objects_outside_the_file_are_refused(tmp_path, opcodes):
    refused(save(tmp_path / "evil.pdparams", opcodes))


def test_the_array_put_together_here_is_read(tmp_path):
    assert_same(load_pdparams(save(tmp_path / "a.pdparams", array_opcodes())), {"a": np.zeros(1, np.float32)})


@pytest.mark.parametrize(
    "parts",
    [
        *({"code": code} for code in ("O8", "V4", "S4", "M8[ns]", "f4,O", "(3,)f4", 4)),
        *({"shape": shape} for shape in ((1 << 40,), (1 << 62, 1 << 62), (2,), (1,) * 40, ("1",))),
        *({"data": data} for data in (b"", [1], 1 << 40, None)),
        {"order": "O"},
    ],
    ids=str,
)
def test_arrays_that_are_no_plain_numbers_of_their_size_are_refused(tmp_path, parts):
    refused(save(tmp_path / "evil.pdparams", array_opcodes(**parts)))


def test_numbers_do_not_pass_for_pointers(tmp_path):
    """numpy's own dtype takes such flags, and then follows the numbers as if they were addresses of objects."""
    found = load_pdparams(save(tmp_path / "evil.pdparams", array_opcodes("f8", data=b"A" * 8, flags=63)))
    assert not found["a"].dtype.hasobject


def test_object_arrays_are_refused(tmp_path):
    refused(write(tmp_path / "evil.pdparams", {"a": np.array([{}, None], dtype=object)}))


@pytest.mark.parametrize(
    "name",
    [
        *("collections OrderedDict", "builtins tuple", "builtins bytes", "_codecs encode", "numpy ndarray"),
        *("numpy dtype", "numpy.core.multiarray _reconstruct", "numpy.core.multiarray scalar"),
    ],
)
@pytest.mark.parametrize("state", [{"x": 1}, (None, {"__init__": 1}), (None, {"__setstate__": 1})], ids=str)
def test_no_file_can_alter_what_names_are_resolved_to(tmp_path, name, state):
    refused(save(tmp_path / "evil.pdparams", named(*name.split()) + pickled(state) + b"b"))
    assert_same(load_pdparams(write(tmp_path / "good.pdparams", PARAMETERS, 2)), PARAMETERS)


@pytest.mark.parametrize(
    "opcodes",
    [
        pytest.param(b"Nr\xff\xff\xff\x0f", id="memo index"),
        pytest.param(b"Np4294967295\n", id="memo index as text"),
        pytest.param(b"\x8e" + struct.pack("<Q", 1 << 40), id="bytes"),
        pytest.param(b"\x96" + struct.pack("<Q", 1 << 40), id="bytearray"),
        pytest.param(b"\x8d" + struct.pack("<Q", 1 << 62), id="text"),
        pytest.param(b"\x95" + struct.pack("<Q", 1 << 40) + b"N", id="frame"),
        pytest.param(named("builtins", "bytes") + pickled((1 << 34,)) + b"R", id="bytes made"),
        pytest.param(named("numpy", "ndarray") + pickled(((1 << 34,), "b")) + b"R", id="array made"),
        pytest.param(named("numpy", "ndarray") + pickled(((1 << 34,), "b")) + b"\x81", id="array made anew"),
        pytest.param(
            named("numpy.core.multiarray", "_reconstruct") + pickled((None, (1 << 34,), "O")) + b"R", id="kept"
        ),
        pytest.param(array_opcodes("V2000000000"), id="size of a dtype"),
    ],
)
def test_absurd_sizes_take_no_memory(tmp_path, opcodes):
    path = save(tmp_path / "w.pdparams", opcodes, protocol=5)
    tracemalloc.start()
    try:
        refused(path)
        assert tracemalloc.get_traced_memory()[1] < 1 << 22
    finally:
        tracemalloc.stop()


# ---- broken, or something else


def test_missing_file_and_folder(tmp_path):
    assert "No such file" in refused(tmp_path / "none.pdparams")
    assert "no regular file" in refused(tmp_path)
    assert "no regular file" in refused(Path("/dev/zero"))


def test_larger_than_weights_are(tmp_path):
    path = tmp_path / "w.pdparams"
    with path.open("wb") as file:
        file.write(b"\x80\x02")
        file.truncate(5 << 30)  # takes no room on the disk
    assert f"more than {4 << 30} bytes" in refused(path)


def test_other_formats(tmp_path):
    path = tmp_path / "w.pdparams"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("data.pkl", b"x")
    assert "not a .pdparams file" in refused(path)
    safetensors = struct.pack("<Q", 0x180) + b'{"a": 1}'
    for data in (b"", b"<!DOCTYPE html>", b"\x1f\x8b\x08\x00", safetensors, b"N\n"):
        path.write_bytes(data)
        assert "not a .pdparams file" in refused(path)


@pytest.mark.parametrize(
    "content",
    [
        *([WEIGHT], WEIGHT, "text", {"epoch": 3}, {"model": {"w": WEIGHT}}, {"w": [WEIGHT]}, {"w": ("name", "other")}),
        *({("w",): WEIGHT}, {3: WEIGHT}, {b"w": WEIGHT}),
    ],
)
def test_content_other_than_a_flat_dict_of_arrays(tmp_path, content):
    refused(write(tmp_path / "w.pdparams", content))


def test_an_array_without_values_is_refused(tmp_path):
    opcodes = b"}" + pickled("a") + named("numpy.core.multiarray", "_reconstruct") + b")Rs"
    assert "'a' is not an array" in refused(save(tmp_path / "w.pdparams", opcodes))


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


@settings(max_examples=300, deadline=2000, suppress_health_check=[HealthCheck.function_scoped_fixture])
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


# ---- a waste of time


@pytest.mark.parametrize(
    "opcodes",
    [
        pytest.param(b"})" + b"\x85" * 100_000 + b"Ns", id="a nested tuple"),
        pytest.param(b"})" + b"".join(b"\x94h%c\x86" % n for n in range(60)) + b"Ns", id="tuples of twice the last"),
        pytest.param(b"(K\x01Nd", id="a number"),
        pytest.param(b"}(" + b"".join(pickled(n * (2**61 - 1)) + b"N" for n in range(500)) + b"u", id="one hash"),
        pytest.param(named("collections", "OrderedDict") + pickled(([((1,), 2)],)) + b"R", id="by its class"),
        pytest.param(b"\x8f(K\x01\x90", id="a set"),
        pytest.param(b"(K\x01\x91", id="a frozen set"),
        pytest.param(b"}X\x01\0\0\0aq\x00K\x01q\x00h\x00Ns", id="a text that was replaced"),
        pytest.param(b"NXu", id="no mark"),
        pytest.param(b"s", id="nothing to set"),
    ],
)
def test_keys_that_are_no_texts_are_refused_before_they_are_used(tmp_path, opcodes):
    refused(save(tmp_path / "evil.pdparams", opcodes, protocol=4))


def test_bytes_are_made_of_latin_letters_only(tmp_path):
    opcodes = named("_codecs", "encode") + pickled(("a" * 100, "punycode")) + b"R"
    assert "not written as 'punycode'" in refused(save(tmp_path / "evil.pdparams", opcodes))


def test_an_ordered_dict_may_be_written_as_under_python_2(tmp_path):
    pair = array_opcodes()[1:-1] + b"\x86"  # without the dict around it
    path = save(tmp_path / "a.pdparams", named("collections", "OrderedDict") + b"]" + pair + b"a\x85R")
    assert_same(load_pdparams(path), {"a": np.zeros(1, np.float32)})
