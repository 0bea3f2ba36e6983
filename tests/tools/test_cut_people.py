"""Crops of the people of labelled images."""

import cv2
import numpy as np
import pytest

from tests.helpers.training.teacher_networks import boxes_detector
from tools import cut_people
from training.data.crops import IdentityFolders
from training.data.readers import open_dataset

SIZE = (400, 300)  # of the images: width, height


@pytest.fixture
def dataset(tmp_path):
    """Two images: each shows person 3, one a person without identity, and several who are too small or cut off."""
    folder = tmp_path / "street"
    labels = [
        (0, 3, 20, 10, 80, 170),
        (0, 5, 100, 100, 110, 150),  # small
        (0, 6, 360, 20, 440, 180),  # half outside
        (1, 7, 200, 20, 260, 140),  # ignored
    ]
    for name, extra in (("a", []), ("b", [(0, -1, 150, 0, 290, 298)])):
        image = np.zeros((*SIZE[::-1], 3), np.uint8)
        image[10:170, 20:80] = 200
        (folder / "images").mkdir(parents=True, exist_ok=True)
        (folder / "labels_with_ids").mkdir(exist_ok=True)
        cv2.imwrite(str(folder / "images" / f"{name}.png"), image)
        rows = np.array([*labels, *extra], float)
        corners = rows[:, 2:].reshape(-1, 2, 2) / SIZE
        rows = np.hstack([rows[:, :2], corners.mean(axis=1), corners[:, 1] - corners[:, 0]])
        np.savetxt(folder / "labels_with_ids" / f"{name}.txt", rows, fmt="%d %d %.8f %.8f %.8f %.8f")
    path = tmp_path / "street.train"
    path.write_text("street/images/a.png\nstreet/images/b.png\n")
    return path


def test_whole_and_large_people_are_cut_out(dataset, tmp_path, capsys):
    assert cut_people.main([str(dataset), "--output", str(tmp_path / "people")]) == 0
    assert capsys.readouterr().out == f"3 people in {tmp_path / 'people'}\n"
    crops = IdentityFolders(tmp_path / "people")
    assert crops.labels == ["street-3", "street-unknown-000001_1"] and len(crops) == 3
    first, _ = crops.read(0)
    assert first.shape == (160, 60, 3) and first.min() > 190
    unknown, _ = crops.read(2)
    assert unknown.shape == (256, round(140 * 256 / 298), 3), "no higher than a teacher looks at"
    people = open_dataset({"kind": "recomposed", "path": str(tmp_path / "people"), "times": 4})
    assert len(people) == 12


def test_every_so_many_th_image_is_taken(dataset, tmp_path):
    cut_people.main([str(dataset), "--output", str(tmp_path / "people"), "--every", "2"])
    assert len(IdentityFolders(tmp_path / "people")) == 1


def test_the_teachers_sure_boxes_do_where_there_are_no_labels(dataset, tmp_path):
    (tmp_path / "street" / "labels_with_ids" / "a.txt").unlink()

    found = [[20, 10, 80, 170, 0.9], [100, 10, 160, 170, 0.4]]
    first = boxes_detector(tmp_path / "first.xml", found, size=SIZE[::-1])
    command = [str(dataset), "--every", "2", "--boxes", str(first)]
    cut_people.main([*command, "--output", str(tmp_path / "people")])
    assert IdentityFolders(tmp_path / "people").labels == ["street-unknown-000000_0"]
    second = boxes_detector(tmp_path / "second.xml", found[1:], labels=[1], size=SIZE[::-1])
    cut_people.main([*command, "--boxes", f"{second}:1", "--output", str(tmp_path / "nobody")])
    assert not (tmp_path / "nobody").exists(), "one alone finds somebody surely"


def test_mistakes_cost_a_line(dataset, tmp_path, capsys):
    output = ["--output", str(tmp_path / "people")]
    (tmp_path / "street" / "labels_with_ids" / "a.txt").unlink()
    assert cut_people.main([str(dataset), *output]) == 1
    assert "has no labels: --boxes names" in capsys.readouterr().err
    assert cut_people.main([str(tmp_path / "none.train"), *output]) == 1
    assert "none.train" in capsys.readouterr().err
    assert cut_people.main([str(dataset), *output, "--every", "0"]) == 1
    assert "every must be a whole number of at least 1" in capsys.readouterr().err
    (tmp_path / "file").write_text("")
    (tmp_path / "street" / "images" / "a.png").write_bytes(b"no image")
    assert cut_people.main([str(dataset), "--output", str(tmp_path / "file")]) == 1
    error = capsys.readouterr().err
    assert "skipped" in error and "a.png" in error and "cannot be written" in error
