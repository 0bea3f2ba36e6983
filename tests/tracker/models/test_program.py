"""Paddle's programs: the bundled ones pass; what does more than compute, or is damaged, is refused by name."""

import random
import shutil
import struct

import pytest

from tests.attacks.hostile_folders import HOSTILE, change_program, with_operator
from tracker.errors import ModelError
from tracker.models.locate import COMPACT
from tracker.models.program import check_graph


@pytest.fixture
def folder(tmp_path):
    return shutil.copytree(COMPACT, tmp_path / "model")


def check(folder, graph="model"):
    check_graph(folder / f"{graph}.pdmodel", folder / f"{graph}.pdiparams")


def refused(folder, graph="model"):
    with pytest.raises(ModelError) as caught:
        check(folder, graph)
    assert str(caught.value).isprintable()
    return str(caught.value)


@pytest.mark.parametrize("graph", ["model", "embed"])
def test_the_bundled_graphs_pass(graph):
    check(COMPACT, graph)


@pytest.mark.parametrize("graph", ["model", "embed"])
@pytest.mark.parametrize("kind", HOSTILE)
def test_other_operators_are_refused_by_name(folder, graph, kind, tmp_path):
    with_operator(folder, graph, kind, tmp_path / "written")
    message = refused(folder, graph)
    assert f"{folder / graph}.pdmodel is refused: its operator {kind!r} " in message


def test_operators_of_other_blocks_are_refused_too(folder):
    change_program(folder, "model", lambda program: program.blocks.add(idx=1, parent_idx=0).ops.add(type="save"))
    assert "operator 'save'" in refused(folder)
    change_program(folder, "model", lambda program: program.blocks[1].ops.pop())
    assert "2 blocks" in refused(folder)


def test_a_known_operator_with_a_block_of_its_own_is_refused(folder):
    change_program(
        folder, "model", lambda program: program.blocks[0].ops[1].attrs.add(name="sub_block", type=8, block_idx=0)
    )
    assert "has a block of its own" in refused(folder)


@pytest.mark.parametrize("kind", [11, 13, 15, 17, 8])
def test_variables_that_are_no_tensors_are_refused(folder, kind):
    change_program(folder, "model", lambda program: setattr(program.blocks[0].vars[0].type, "type", kind))
    assert "is no tensor" in refused(folder)


def test_arguments_that_are_nowhere_are_refused(folder):
    def change(program):
        program.blocks[0].ops[3].inputs[0].arguments[0] = "elsewhere"

    change_program(folder, "embed", change)
    assert "works on 'elsewhere', which is not in it" in refused(folder, "embed")


def test_a_second_kind_of_an_operator_does_not_hide_the_first(folder):
    """Protocol-buffer readers take the last of two; this one takes neither."""
    path = folder / "model.pdmodel"
    data = path.read_bytes()
    assert data.count(b"\x1a\x06conv2d") > 1
    path.write_bytes(data.replace(b"\x1a\x06conv2d", b"\x1a\x01a\x1a\x01b", 1))
    assert "a second field type" in refused(folder)


@pytest.mark.parametrize("graph", ["model", "embed"])
def test_flipped_bits_never_end_in_a_traceback(folder, graph):
    path = folder / f"{graph}.pdmodel"
    whole = path.read_bytes()
    for seed in range(150):
        chance, data = random.Random(seed), bytearray(whole)
        for _ in range(chance.choice((1, 5, 60))):
            data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        path.write_bytes(data[: chance.choice((len(data), chance.randrange(len(data))))])
        try:
            check(folder, graph)
        except ModelError as error:
            assert str(error).isprintable(), seed


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda data: b"", "it is empty"),
        (lambda data: data[:9], "it ends too early"),
        (lambda data: data[:-1], "it ends within"),
        (lambda data: data + b"\0", "numbers follow the last parameter"),
        (lambda data: struct.pack("<I", 1) + data[4:], "has a malformed header"),
        (lambda data: data[:16] + struct.pack("<i", -1) + data[20:], "has a malformed header"),
        (lambda data: data[:16] + struct.pack("<i", 2**31 - 1) + data[20:], "has a malformed header"),
        (lambda data: data[:23] + bytes([data[23] ^ 1]) + data[24:], "is of another type or shape"),
    ],
)
def test_parameters_of_another_program_are_refused(folder, change, message):
    path = folder / "model.pdiparams"
    path.write_bytes(change(path.read_bytes()))
    assert f"{path} is damaged or not that of model.pdmodel" in refused(folder)
    assert message in refused(folder)


def test_a_file_without_an_end_is_refused(folder):
    for name in ("model.pdmodel", "model.pdiparams"):
        kept = (folder / name).read_bytes()
        for link in ("/dev/zero", "/proc/kmsg"):
            (folder / name).unlink()
            (folder / name).symlink_to(link)
            refused(folder)
        (folder / name).unlink()
        (folder / name).write_bytes(kept)
    check(folder)
