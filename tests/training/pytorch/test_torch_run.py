"""Whole runs on drawn people: parts, checkpoints, resuming, the way back to the project, and what is refused."""

import numpy as np
import pytest
import yaml

torch = pytest.importorskip("torch")

from tests.helpers.training.packed_sets import write_small
from tracker.errors import DataError, ModelError, OptionError
from tracker.models.export import read_weights
from training.pytorch.networks import arrays_of, build
from training.pytorch.run import Run, RunSettings

CPU = torch.device("cpu")
SIZES = {"width": 0.1, "neck": 8, "grid": [20, 8], "head": [4, 6], "refinements": ["full"], "dimension": 7}
SMALL = {"batch": 2, "people": 8, "size": (96, 128), "minutes": 5.0, "log_seconds": 0.0}


@pytest.fixture
def place(tmp_path):
    """A folder with a packed set, a configuration and weights to begin with."""
    write_small(tmp_path / "set.npz")
    (tmp_path / "net.yml").write_text(yaml.safe_dump({"CompactJDE": SIZES}))
    torch.manual_seed(0)
    save(tmp_path, arrays_of(build(tmp_path / "net.yml").state_dict()))
    return tmp_path


def save(place, arrays):
    np.savez(place / "start.npz", **{f"average/network.{name}": value for name, value in arrays.items()})


def make(place, output="output", **changes):
    settings = RunSettings(**{**SMALL, "steps": 3, **changes})
    return Run(place / "set.npz", place / "net.yml", place / "start.npz", place / output, CPU, settings)


def changed(place, part, **changes):
    """The names of weights that a run of a part changes, as the project reads them from its file."""
    make(place, part, part=part, **changes).run()
    before, after = read_weights(place / "start.npz"), read_weights(place / part / "weights.npz")
    assert set(before) == set(after)
    assert all(np.isfinite(value).all() for value in after.values())
    return {name for name in before if not np.allclose(before[name], after[name], rtol=0, atol=1e-7)}


@pytest.mark.parametrize(
    ("part", "taught", "kept"),
    [
        ("heads", ("det.lat", "det.heads"), ("det.backbone.", "head.")),
        ("embedding", ("head.first", "head.out"), ("det.",)),
        ("detector", ("det.backbone.stem", "det.heads"), ("head.",)),
        ("all", ("det.backbone.stem", "det.heads", "head.out"), ()),
    ],
)
def test_a_part_alone_is_taught(place, part, taught, kept):
    names = changed(place, part)
    assert all(any(name.startswith(begin) for name in names) for begin in taught)
    assert not [name for name in names if name.startswith(kept)] if kept else True


def test_a_resumed_run_goes_on_where_it_was(place, caplog):
    caplog.set_level("INFO")
    settings = {"part": "all", "minutes": 1e9}  # rates by steps alone
    first = make(place, **settings)
    first._train_step()
    first._train_step()
    first.save()
    second = make(place, **settings)
    assert second.step == 2 and "resumed at step 2" in caplog.text
    first._train_step()
    second.run()
    assert second.step == 3
    ended = read_weights(place / "output" / "weights.npz")
    first.save()
    for name, value in read_weights(place / "output" / "weights.npz").items():
        np.testing.assert_allclose(ended[name], value, rtol=0, atol=1e-6, err_msg=name)


def test_time_ends_a_run(place):
    run = make(place, minutes=1e-4, steps=None)
    run.run()
    assert run.progress == 1 and run.step < 5
    again = make(place, minutes=1e-4, steps=None)
    step = again.step
    again.run()
    assert again.step == step, "it has had its time"


def test_a_run_learns(place):
    run = make(place, part="all", steps=40)
    first = {name: value.item() for name, value in run._train_step().items()}
    run.run()
    last = {name: value.item() for name, value in run._train_step().items()}
    assert last["vector"] < 0.8 * first["vector"] and last["box"] < first["box"]


def test_weights_that_leave_the_backbone_to_chance_are_refused(place):
    arrays = arrays_of(build(place / "net.yml").state_dict())
    save(place, {name: value for name, value in arrays.items() if not name.startswith("det.backbone")})
    with pytest.raises(ModelError, match=r"has no weights for det\.backbone"):
        make(place)
    save(place, {name: value for name, value in arrays.items() if name.startswith("det.backbone")})
    with pytest.raises(ModelError, match="has no weights for head"):
        make(place)
    make(place, part="all", steps=1).run()


def test_checkpoints_that_cannot_be_used(place):
    make(place, steps=1).run()
    with pytest.raises(OptionError, match="part heads"):
        make(place, part="all")
    (place / "output" / "checkpoint.pt").write_bytes(b"no checkpoint")
    with pytest.raises(ModelError, match="give another --output") as caught:
        make(place)
    assert "\n" not in str(caught.value)


def test_what_cannot_be_trained_on(place):
    (place / "set.npz").write_bytes(b"nothing")
    with pytest.raises(DataError, match=r"set\.npz"):
        make(place)


def test_a_loss_that_is_no_number_ends_the_run_and_keeps_the_checkpoint(place):
    run = make(place)
    run.save()
    before = (place / "output" / "weights.npz").read_bytes()
    with torch.no_grad():
        run.network.det.lat3.c.weight.fill_(float("nan"))
    with pytest.raises(ModelError, match="no number after step"):
        run.run()
    assert (place / "output" / "weights.npz").read_bytes() == before
