"""Damaged and hostile files of weights, checkpoints, labels, sequences and archives: read, or refused in one line."""

import io
import pickle
import random
import re
import struct
import tarfile
from pathlib import Path

import numpy as np
import pytest

from tests.attacks.attacking import (
    DAMAGE,
    DAMAGE_OF_TEXTS,
    as_it_is,
    batches,
    count,
    in_limits,
    outcomes,
    write_damaged,
)

pytestmark = pytest.mark.attack

FILES = count("FILES", 300)  # of each kind
GIGABYTES = 4
SECONDS = 20
TEXTS = {  # a whole file of each kind of label
    "boxes.voc": '<?xml version="1.0"?>\n<annotation> <object> <name>person</name> <difficult>0</difficult> <bndbox> '
    "<xmin> 10 </xmin> <ymin> 20 </ymin> <xmax> 30 </xmax> <ymax> 80 </ymax> </bndbox> </object> </annotation>\n",
    "boxes.siwr": "a.jpg\n 2 \n0 1 1 10 20 \n0 5 5 10 20 \nb.jpg\n 0 \n",
    "boxes.relative": "0 7 0.5 0.5 0.1 0.2 \n0 -1 0.2 0.4 0.1 0.2 \n",
    "boxes.penn": '# comment\nObjects with ground truth : 1 { "PASpersonWalking" }\n'
    'Bounding box for object 1 "PASpersonWalking" (Xmin, Ymin) - (Xmax, Ymax) : (10, 20) - (30, 80)\n',
    "boxes.mot": "1, 1, 10, 20, 10, 20, 1, -1, -1, -1 \n2, 1, 11, 20, 10, 20, 0.5, -1, -1, -1 \n",
    "boxes.ini": "[Sequence]\nname= a \nimDir= img1 \nframeRate= 25 \nseqLength= 30 \n",
    "boxes.yml": "low_thres: 0.2 \nmemory: 3 \nassociation: fused \n",
}


def readers():
    """What reads each kind of file, by its suffix."""
    from tools.eval_mot import find_pairs  # noqa: F401 (the tools must load too)
    from tracker.models.npz import load_npz
    from tracker.models.pdparams import load_pdparams
    from tracker.settings.tracking import read_tracker_file
    from tracker.sinks.mot_text import read_mot
    from tracker.sources.seqinfo import read_seqinfo
    from training.data.archives import unpack
    from training.data.labels import read_penn_fudan, read_relative, read_siwr, read_text, read_voc

    def ini(path):
        info = read_seqinfo(path)
        return info.image_folder, info.frame_rate, info.length

    return {
        ".pdparams": load_pdparams,
        ".npz": load_npz,
        ".checkpoint": restore_checkpoint,
        ".voc": lambda path: read_voc(path, read_text(path, "boxes")),
        ".siwr": read_siwr,
        ".relative": lambda path: read_relative(path, "class identity cx cy w h"),
        ".penn": lambda path: read_penn_fudan(path, read_text(path, "boxes")),
        ".mot": read_mot,
        ".ini": ini,
        ".yml": read_tracker_file,
        **{suffix: lambda path: unpack(path, path.with_suffix(".out")) for suffix in (".tar", ".gz", ".xz", ".bz2")},
    }


def new_run():
    """A network of one layer that has taken a step."""
    import paddle

    from training.checkpoint import MovingAverage

    task = paddle.nn.Linear(2, 3)
    average = MovingAverage(task, 0.9)
    optimizer = paddle.optimizer.Adam(parameters=task.parameters())
    step(task, optimizer)
    return task, average, optimizer


def step(task, optimizer):
    import paddle

    task(paddle.ones([1, 2])).sum().backward()
    optimizer.step()
    optimizer.clear_grad()


def restore_checkpoint(path):
    """Restore a run, and go on with it."""
    from training.checkpoint import restore

    task, average, optimizer = new_run()
    before = [parameter.numpy().copy() for parameter in task.parameters()]
    try:
        restore(path, task, average, optimizer)
    except Exception:
        same = [np.array_equal(old, new.numpy()) for old, new in zip(before, task.parameters())]
        assert all(same), "a refused checkpoint changed the run"
        raise
    step(task, optimizer)
    assert all(np.isfinite(parameter.numpy()).all() for parameter in task.parameters())


def write_seeds(folder):
    from training.checkpoint import collect, save_arrays

    folder = Path(folder)
    for name, text in TEXTS.items():
        (folder / name).write_text(text)
    arrays = {"a.weight": np.arange(60, dtype=np.float32).reshape(3, 20), "b": np.zeros(4), "c": np.int64(5)}
    (folder / "weights.pdparams").write_bytes(
        pickle.dumps({"a": arrays["a.weight"], "b": arrays["b"], "StructuredToParameterName@@": {"a": "x"}}, protocol=2)
    )
    save_arrays(folder / "weights.npz", arrays)
    np.savez_compressed(folder / "packed.npz", **arrays)
    save_arrays(folder / "run.checkpoint", collect(*new_run(), 5))
    for suffix, mode in ((".tar", "w"), (".gz", "w:gz"), (".xz", "w:xz"), (".bz2", "w:bz2")):
        with tarfile.open(folder / f"images{suffix}", mode) as tar:
            for name in ("a/1.jpg", "a/2.jpg", "b.txt"):
                member = tarfile.TarInfo(name)
                member.size = 700
                tar.addfile(member, io.BytesIO(random.Random(name).randbytes(700)))
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture(scope="module")
def seeds(tmp_path_factory):
    folder = tmp_path_factory.mktemp("seeds")
    in_limits(write_seeds, folder, seconds=120, gigabytes=32)
    return folder


def read_damaged(file, numbers, folder, damage):
    """Read one damaged copy of a file after the other; runs in a process of its own."""
    file, folder = Path(file), Path(folder)
    reader = readers()[file.suffix]
    ways = (DAMAGE_OF_TEXTS if file.name in TEXTS else DAMAGE) if damage else (as_it_is,)

    def attempts():
        for number in numbers:
            path = write_damaged(file, number, folder, ways)
            yield path.name, lambda path=path: reader(path)
            path.unlink()

    return outcomes(attempts(), SECONDS)


NAMES = [
    *(*TEXTS, "weights.pdparams", "weights.npz", "packed.npz", "run.checkpoint"),
    *(f"images.{suffix}" for suffix in ("tar", "gz", "xz", "bz2")),
]


@pytest.mark.parametrize("name", NAMES)
def test_what_is_not_damaged_is_read(seeds, name, tmp_path):
    found = in_limits(read_damaged, seeds / name, [1], tmp_path, False, seconds=120, gigabytes=32)
    assert len(found["results"]) == 1, found


@pytest.mark.parametrize("numbers", batches(FILES), ids=lambda numbers: f"{numbers.start}-{numbers.stop - 1}")
@pytest.mark.parametrize("name", NAMES)
def test_damaged_files(seeds, name, numbers, tmp_path):
    gigabytes = 32 if "checkpoint" in name else GIGABYTES  # Paddle's libraries alone take many
    seconds = SECONDS * len(numbers)
    found = in_limits(read_damaged, seeds / name, [*numbers], tmp_path, True, seconds=seconds, gigabytes=gigabytes)
    assert found["bad"] == []
    assert len(found["results"]) + len(found["errors"]) == len(numbers)


# Pickles that ask for more than arrays

BIG = b"\x80\x04"
HOSTILE = {
    "nested tuples": BIG + b")" + b"\x85" * 200_000 + b".",
    "nested keys": BIG + b"}(" + b")" + b"\x85" * 200_000 + b"Nu.",
    **{
        f"{name} of 2^62 bytes": BIG + opcode + struct.pack("<Q", 2**62) + b"x."
        for name, opcode in (("text", b"\x8d"), ("bytes", b"\x8e"), ("bytearray", b"\x96"), ("frame", b"\x95"))
    },
    "number of 2^31 bytes": BIG + b"\x8b" + struct.pack("<i", 2**31 - 1) + b"x.",
    "number of -5 bytes": BIG + b"\x8b" + struct.pack("<i", -5) + b".",
    "number of 3,000,000 digits": b"\x80\x02L" + b"9" * 3_000_000 + b"L\n.",
    "memo at 2^31": BIG + b"]" + b"r" + struct.pack("<I", 2**31) + b".",
    "laughs": BIG + b"]\x94" + b"".join(b"](" + bytes([0x68, n]) * 10 + b"e\x94" for n in range(30)) + b".",
    "os.system by INST": b"\x80\x02(S'touch written'\nios\nsystem\n.",
    "os.system by REDUCE": b"\x80\x02cos\nsystem\n(X\x0d\0\0\0touch writtentR.",
    "eval": b"\x80\x02cbuiltins\neval\n(X\x05\0\0\0print\x85R.",
    "numpy's loads": b"\x80\x02cnumpy\nload\n(X\x01\0\0\0atR.",
    "codecs": b"\x80\x02c_codecs\nencode\n(cbuiltins\ntuple\nX\x06\0\0\0latin1tR.",
    "extension": BIG + b"\x82\x01.",
    "keys that a terminal obeys": pickle.dumps({"\x1b[31m\n" * 50: 5}, 2),
    "keys of half a pair": BIG + b"}X\x03\0\0\0\xed\xa0\x80Ns.",
    "slices without an end": pickle.dumps(
        {"UnpackBigParamInfor@@": {"a": {"slices": "b", "OriginShape": "x"}}, "b": np.zeros(1)}, 2
    ),
    "shape of 2^70": re.sub(
        rb"K\x02K\x03\x86",
        b"K\x00\x8a\x09" + b"\xff" * 8 + b"\x00\x86",
        pickle.dumps({"a": np.zeros((2, 3))}, 2),
        count=1,
    ),
}


def read_hostile(folder):
    files = {name: Path(folder, f"{number}.pdparams") for number, name in enumerate(HOSTILE)}
    for name, path in files.items():
        path.write_bytes(HOSTILE[name])
    reader = readers()[".pdparams"]
    return outcomes(((name, lambda path=path: reader(path)) for name, path in files.items()), SECONDS)


def test_hostile_pickles(tmp_path):
    found = in_limits(read_hostile, tmp_path, seconds=300, gigabytes=GIGABYTES)
    assert found == {"results": [], "errors": [*HOSTILE], "bad": []}
    assert {path.suffix for path in tmp_path.iterdir()} == {".pdparams"}


CHANGES = {  # of a whole checkpoint
    "optimizer/evil/moment1_0": np.zeros(1),
    "optimizer/weight/moment1_0": np.zeros(7, np.float32),
    "step": [np.array("x"), np.array([1, 2]), np.array(-5), np.array(np.nan), np.array(2**62)],
    "average_steps": [np.array(np.nan), np.array(True)],
    "task/weight": [np.full((2, 3), "x"), np.full((2, 3), np.nan, np.float32), np.zeros((2, 3), complex)],
    "average/weight": [np.zeros((2, 3), np.int64), np.full((2, 3), np.inf), np.zeros((2, 3), "M8[s]")],
}


def read_changed(folder):
    from training.checkpoint import collect, save_arrays

    whole, attempts = collect(*new_run(), 5), []
    for key, values in CHANGES.items():
        for value in values if isinstance(values, list) else [values]:
            path = Path(folder, f"{len(attempts)}.npz")
            save_arrays(path, {**whole, key: value})
            attempts.append((f"{key} {value!r}", lambda path=path: restore_checkpoint(path)))
    return outcomes(attempts, SECONDS)


def test_checkpoints_with_other_values(tmp_path):
    found = in_limits(read_changed, tmp_path, seconds=300, gigabytes=32)
    assert found["results"] == found["bad"] == [] and len(found["errors"]) == 15
