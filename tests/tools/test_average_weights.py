"""Means of weights: by hand, of files of both kinds, and what does not go together."""

import re

import numpy as np
import pytest

from tools.average_weights import average, main
from tracker.models.export import AVERAGE, NETWORK, read_weights
from training.checkpoint import save_parameters

FIRST = {"a.weight": np.array([[0.0, 1.0], [2.0, 3.0]], np.float32), "a.bias": np.array([4.0], np.float32)}
SECOND = {"a.weight": np.array([[4.0, 1.0], [0.0, -3.0]], np.float32), "a.bias": np.array([0.0], np.float32)}


@pytest.fixture
def files(tmp_path):
    paths = [tmp_path / "first.pdparams", tmp_path / "second.npz"]
    save_parameters(FIRST, paths[0])
    np.savez(paths[1], **{f"{AVERAGE}{NETWORK}{name}": value for name, value in SECOND.items()})
    return paths


@pytest.mark.parametrize("shares", [[1, 1], [3, 1], [0.1, 0.9]])
def test_the_mean_by_hand(files, shares):
    found = average(files, shares)
    first, second = np.array(shares) / sum(shares)
    assert set(found) == set(FIRST)
    for name, value in found.items():
        np.testing.assert_allclose(value, first * FIRST[name] + second * SECOND[name], atol=1e-6)
        assert value.dtype == np.float32


def test_the_command_writes_a_file_that_can_be_read(files, tmp_path, capsys):
    target = tmp_path / "mean.pdparams"
    assert main([*map(str, files), "--output", str(target)]) == 0
    np.testing.assert_array_equal(read_weights(target)["a.weight"], [[2, 1], [1, 0]])
    assert main([*map(str, files), "--shares", "1", "3", "--output", str(target)]) == 0
    np.testing.assert_array_equal(read_weights(target)["a.bias"], [1])
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("change", "shares", "message"),
    [
        ({"a.bias": np.zeros(2, np.float32)}, [], "other.pdparams is not for this network.*another shape"),
        ({"b.bias": np.zeros(1, np.float32)}, [], "other.pdparams is not for this network.*unexpected"),
        ({"a.bias": np.array([np.nan], np.float32)}, [], "other.pdparams: parameter 'a.bias' has 1 of 1 values"),
        ({}, ["1"], "1 shares for 2 files: give one for each"),
        ({}, ["1", "0"], "shares must be a positive number"),
        ({}, ["1", "nan"], "shares must be a positive number"),
    ],
)
def test_what_does_not_go_together_is_refused_in_one_line(files, tmp_path, capsys, change, shares, message):
    other = tmp_path / "other.pdparams"
    save_parameters({**SECOND, **change}, other)
    chosen = ["--shares", *shares] if shares else []
    assert main([str(files[0]), str(other), *chosen, "--output", str(tmp_path / "mean.pdparams")]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ") and re.search(message, line)
    assert not (tmp_path / "mean.pdparams").exists()


def test_a_missing_file_and_one_in_place_of_a_folder_cost_a_line(files, tmp_path, capsys):
    assert main([str(tmp_path / "none.pdparams"), "--output", str(tmp_path / "mean.pdparams")]) == 1
    assert main([*map(str, files), "--output", str(files[0] / "mean.pdparams")]) == 1
    first, second = capsys.readouterr().err.splitlines()
    assert "none.pdparams" in first and "cannot save" in second
