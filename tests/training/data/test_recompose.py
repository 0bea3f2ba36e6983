"""People made of the parts of others."""

import cv2
import numpy as np
import pytest

from tracker.errors import DataError, OptionError
from training.data import recompose as module
from training.data.readers import open_dataset
from training.data.recompose import recompose


def plain(value, size=(128, 64)):
    return np.full((*size, 3), value, np.uint8)


def test_the_upper_part_is_of_the_one_and_the_lower_of_the_other(monkeypatch):
    monkeypatch.setattr(module, "DYED", 0)
    person = recompose(plain(200), plain(40, size=(60, 30)), np.random.default_rng(0))
    assert person.shape == (128, 64, 3) and person.dtype == np.uint8
    assert (person[:45] == 200).all() and (person[85:] == 40).all()
    assert (np.diff(person[:, 0, 0].astype(int)) <= 0).all()


def test_dyeing_changes_hues_and_leaves_grey_as_it_is(monkeypatch):
    monkeypatch.setattr(module, "DYED", 1)
    red = np.zeros((80, 40, 3), np.uint8)
    red[:, :, 2] = 200
    person = recompose(red, red, np.random.default_rng(1))
    parts = np.concatenate([person[:25], person[-25:]])
    assert (parts.max(axis=2) >= 190).all() and (person[0, 0] != red[0, 0]).any()
    grey = recompose(plain(120), plain(120), np.random.default_rng(1))
    assert np.abs(grey.astype(int) - 120).max() <= 1


def test_a_person_is_always_the_same_and_nobody_known(tmp_path):
    random = np.random.default_rng(2)
    for who in ("0001", "0002", "0003"):
        (tmp_path / "crops" / who).mkdir(parents=True)
        cv2.imwrite(str(tmp_path / "crops" / who / "a.png"), random.integers(0, 256, (64, 32, 3), np.uint8))
    people = open_dataset({"kind": "recomposed", "path": str(tmp_path / "crops")})
    assert len(people) == 3 and people.identities == 0 and people.name == "crops-recomposed"
    for index in range(3):
        image, identity = people.read(index)
        assert identity == -1 and (image == people.read(index)[0]).all()


def test_several_people_are_made_of_a_crop(tmp_path):
    random = np.random.default_rng(2)
    for who in ("0001", "0002"):
        (tmp_path / "crops" / who).mkdir(parents=True)
        cv2.imwrite(str(tmp_path / "crops" / who / "a.png"), random.integers(0, 256, (64, 32, 3), np.uint8))
    spec = {"kind": "recomposed", "path": str(tmp_path / "crops")}
    once, often = open_dataset(spec), open_dataset({**spec, "times": 3})
    assert len(often) == 6
    people = [often.read(index)[0] for index in range(6)]
    assert all((people[index] == once.read(index)[0]).all() for index in range(2)), "the first ones stay who they are"
    assert all((people[one] != people[other]).any() for one in range(6) for other in range(one))
    for times in (0, 1.5, "2"):
        with pytest.raises(OptionError, match="times of recomposed people must be a whole number"):
            open_dataset({**spec, "times": times})
    with pytest.raises(DataError, match="has no setting 'times'"):
        open_dataset({"kind": "identities", "path": str(tmp_path / "crops"), "times": 2})


def test_a_missing_folder_is_an_error(tmp_path):
    with pytest.raises(DataError, match="crops"):
        open_dataset({"kind": "recomposed", "path": str(tmp_path / "crops")})
