"""Model folders made to do harm, or damaged: copies of the bundled one, each with one change that is named."""

import os
import random
import re
import shutil
from pathlib import Path

from tracker.models import int8
from tracker.models.locate import COMPACT

GRAPHS = ("model", "embed")
# Paddle's operators that reach out of their tensors, run Python or other blocks, or that there are none of
HOSTILE = (
    *("save", "save_combine", "load", "load_combine", "py_func", "print", "run_program", "while", "conditional_block"),
    *("assert", "listen_and_serv", "send", "recv", "read", "create_py_reader", "c_allreduce_sum", "lite_engine"),
    *("tensorrt_engine", "uniform_random", "gather", "fetch_barrier", "Save", "save ", "", "\x1b[31m\nerror: fake"),
)
# Of attributes, whole numbers
ABSURD = (-1, 0, 2**31 - 1, -(2**31))


def copy_of_the_bundled(folder, with_int8=False):
    """A folder that states no digests."""
    ignore = None if with_int8 else shutil.ignore_patterns(*int8.FILES)
    shutil.copytree(COMPACT, folder, ignore=ignore)
    path = folder / "infer_cfg.yml"
    path.write_text(path.read_text().split("sha256:")[0])
    return folder


def change_program(folder, graph, change):
    """Change the ProgramDesc of a graph."""
    from paddle.base.proto import framework_pb2

    path = folder / f"{graph}.pdmodel"
    program = framework_pb2.ProgramDesc.FromString(path.read_bytes())
    change(program)
    path.write_bytes(program.SerializePartialToString())


def with_operator(folder, graph, kind, target):
    """Let a graph end with an operator that works on one of its outputs, and has the attributes of ``save``."""

    def change(program):
        operators = program.blocks[0].ops
        source = next(operator for operator in operators if operator.type == "fetch").inputs[0].arguments[0]
        added = operators.add(type=kind)
        added.inputs.add(parameter="X", arguments=[source])
        added.attrs.add(name="file_path", type=2, s=str(target))
        added.attrs.add(name="overwrite", type=6, b=True)
        added.attrs.add(name="save_as_fp16", type=6, b=False)

    change_program(folder, graph, change)


def with_numbers(folder, graph, operator, attribute, value):
    """Set all numbers of an attribute of the first operator of a kind."""

    def change(program):
        found = next(op for op in program.blocks[0].ops if op.type == operator)
        numbers = next(entry for entry in found.attrs if entry.name == attribute)
        if numbers.ints:
            numbers.ints[:] = [value] * len(numbers.ints)
        else:
            numbers.i = value

    change_program(folder, graph, change)


def flip(path, seed, within=None):
    """Flip one to sixty bits."""
    chance, data = random.Random(seed), bytearray(path.read_bytes())
    for _ in range(chance.choice((1, 1, 5, 60))):
        data[chance.randrange(min(within or len(data), len(data)))] ^= 1 << chance.randrange(8)
    path.write_bytes(bytes(data))


def cut(path, share):
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])


def put(path, link):
    path.unlink()
    path.symlink_to(link)


IR = {
    "offset": lambda text: re.sub(r'offset="\d+"', 'offset="999999999999"', text, count=3),
    "negative offset": lambda text: re.sub(r'offset="\d+"', 'offset="-1"', text, count=3),
    "wrapping offset": lambda text: re.sub(r'offset="\d+"', 'offset="18446744073709551600"', text, count=3),
    "size": lambda text: re.sub(r' size="\d+"', ' size="99999999999999"', text),
    "shape": lambda text: re.sub(r'shape="[\d, ]+"', 'shape="99999,99999,99999"', text, count=2),
    "kind of layer": lambda text: text.replace('type="Convolution"', 'type="Evil"', 1),
    "extension": lambda text: text.replace('version="opset1"', 'version="extension"', 1),
    "state": lambda text: text.replace('type="Add"', 'type="ReadValue"', 1),
    "loop": lambda text: text.replace('type="Add"', 'type="Loop"', 1),
    "no numbers": lambda text: re.sub(r'element_type="\w+"', 'element_type="string"', text, count=2),
    "deep": lambda text: "<net>" + "<a>" * 200_000,
    "empty": lambda text: "",
    "entities": lambda text: text.replace("<net", '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><net', 1),
    "another element": lambda text: text.replace("<layers>", "<layers><body/>", 1),
    "cut": lambda text: text[: len(text) // 2],
    "circle": lambda text: re.sub(r'to-layer="\d+"', 'to-layer="0"', text),
    "strides of 0": lambda text: re.sub(r'strides="[\d, ]+"', 'strides="0,0"', text),
    "dilations of 0": lambda text: re.sub(r'dilations="[\d, ]+"', 'dilations="0,0"', text, count=2),
    "huge pads": lambda text: re.sub(r'pads_begin="[\d, ]+"', 'pads_begin="99999999,99999999"', text, count=2),
    "no levels": lambda text: re.sub(r'levels="\d+"', 'levels="0"', text),
}


def ir_case(graph, change):
    def apply(folder, target):
        path = folder / f"{graph}_int8.xml"
        path.write_text(change(path.read_text()))

    return apply


def cases():
    """All of them: name -> (change of a folder, whether it is to be refused, whether it is the int8 form that runs).

    Where a change may turn out harmless, as that of one weight does, the model may run.
    """
    found = {}
    for graph in GRAPHS:
        for number, kind in enumerate(HOSTILE):
            found[f"operator {number} {kind!a} in {graph}"] = (
                lambda folder, target, graph=graph, kind=kind: with_operator(folder, graph, kind, target),
                *(True, False),
            )
        for share in (0, 0.01, 0.3, 0.6, 0.9, 0.999):
            for kind in ("pdmodel", "pdiparams"):
                found[f"{graph}.{kind} cut at {share}"] = (
                    lambda folder, target, name=f"{graph}.{kind}", share=share: cut(folder / name, share),
                    *(True, False),
                )
        for seed in range(20):
            for kind, within in (("pdmodel", None), ("pdiparams", 400)):
                found[f"{graph}.{kind} flipped {seed}"] = (
                    lambda folder, target, name=f"{graph}.{kind}", seed=seed, within=within: flip(
                        folder / name, seed, within
                    ),
                    *(False, False),
                )
        for seed in range(5):
            found[f"{graph}_int8.xml flipped {seed}"] = (
                lambda folder, target, name=f"{graph}_int8.xml", seed=seed: flip(folder / name, seed),
                *(False, True),
            )
        for name, change in IR.items():
            found[f"{name} in {graph}_int8.xml"] = (ir_case(graph, change), name not in ("strides of 0",), True)
        for value in ABSURD:
            for attribute in ("strides", "paddings", "dilations", "groups"):
                found[f"{attribute} {value} in {graph}"] = (
                    lambda folder, target, graph=graph, attribute=attribute, value=value: with_numbers(
                        folder, graph, "conv2d", attribute, value
                    ),
                    *(False, False),
                )
    files = [f"{graph}.{kind}" for graph in GRAPHS for kind in ("pdmodel", "pdiparams")]
    for name in files:
        for other in files:
            if name != other:
                found[f"{other} as {name}"] = (
                    lambda folder, target, name=name, other=other: shutil.copy(COMPACT / other, folder / name),
                    *(True, False),
                )
        for link in ("/dev/zero", "/proc/kmsg", "/proc/self/mem", "."):
            found[f"{name} is {link}"] = (
                lambda folder, target, name=name, link=link: put(folder / name, link),
                *(True, False),
            )
    for name in ("/dev/zero", "../model.pdmodel", "/proc/kmsg", "\\x1b[31m"):
        found[f"digest of {name}"] = (
            lambda folder, target, name=name: (
                (folder / "infer_cfg.yml").open("a").write(f'sha256: {{"{name}": "0"}}\n')
            ),
            *(True, False),
        )
    found["settings from a pipe"] = (lambda folder, target: pipe(folder / "infer_cfg.yml"), True, False)
    return found


def pipe(path: Path):
    path.unlink()
    os.mkfifo(path)
