"""OpenVINO's graphs: the bundled ones pass; what does more than compute, or is damaged, is refused by name."""

import random
import shutil

import pytest

from tests.attacks.hostile_folders import IR
from tracker.errors import ModelError
from tracker.models.locate import COMPACT
from tracker.models.openvino_ir import check_ir

LEFT_TO_OPENVINO = ("circle", "strides of 0", "dilations of 0", "huge pads", "no levels")


@pytest.fixture
def folder(tmp_path):
    return shutil.copytree(COMPACT, tmp_path / "model")


def check(folder, graph="model"):
    check_ir(folder / f"{graph}_int8.xml", folder / f"{graph}_int8.bin")


@pytest.mark.parametrize("graph", ["model", "embed"])
def test_the_bundled_graphs_pass(graph):
    check(COMPACT, graph)


@pytest.mark.parametrize("name", [name for name in IR if name not in LEFT_TO_OPENVINO])
def test_graphs_that_do_more_or_are_damaged_are_refused(folder, name):
    path = folder / "model_int8.xml"
    path.write_text(IR[name](path.read_text()))
    with pytest.raises(ModelError, match=r"model_int8\.xml is (damaged|refused)") as caught:
        check(folder)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("kind", ["Evil", "ReadValue", "Assign", "If", "Loop", "TensorIterator", "RandomUniform"])
def test_other_operations_are_refused_by_name(folder, kind):
    path = folder / "embed_int8.xml"
    path.write_text(path.read_text().replace('type="Swish"', f'type="{kind}"', 1))
    with pytest.raises(ModelError, match=f"its operator '{kind} of opset4' is not"):
        check(folder, "embed")


def test_notes_may_have_any_names(folder):
    path = folder / "model_int8.xml"
    text = path.read_text()
    path.write_text(text.replace("</net>", '<rt_info><anything><more value="1"/></anything></rt_info></net>'))
    check(folder)
    path.write_text(text.replace("</net>", '<anything value="1"/></net>'))
    with pytest.raises(ModelError, match="an element 'anything' where none belongs"):
        check(folder)


def test_numbers_outside_the_folder_s_own_file_are_refused(folder):
    path = folder / "model_int8.bin"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ModelError, match=r"lies past the end of its \.bin file"):
        check(folder)
    path.unlink()
    with pytest.raises(ModelError, match=r"model_int8.bin is missing"):
        check(folder)


def test_flipped_bits_never_end_in_a_traceback(folder):
    path = folder / "embed_int8.xml"
    whole = path.read_bytes()
    for seed in range(100):
        chance, data = random.Random(seed), bytearray(whole)
        for _ in range(chance.choice((1, 5, 60))):
            data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        path.write_bytes(data)
        try:
            check(folder, "embed")
        except ModelError as error:
            assert "\n" not in str(error), seed
