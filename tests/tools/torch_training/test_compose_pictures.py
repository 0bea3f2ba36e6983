"""Making up pictures by the command line, up to the packed set."""

import cv2
import numpy as np
import pytest

from tests.helpers.training.packed_sets import draw_person
from tests.helpers.videos import write_video
from tools.torch_training import compose_pictures, pack_training
from training.pytorch.packed import IGNORED, PERSON, read_packed

PERSON_BOX = [100, 30, 160, 200]
SMALL = ["--boxes", "one.xml", "--boxes", "two.xml", "--size", "168x96"]


class Bright:
    """In place of the teachers: every bright spot is a person."""

    calls = 0

    def __init__(self, text, threads):
        pass

    def __call__(self, image):
        Bright.calls += 1
        bright = np.uint8(image.min(axis=2) > 120)
        statistics = cv2.connectedComponentsWithStats(bright)[2][1:]
        left, top, width, height, area = statistics[statistics[:, cv2.CC_STAT_AREA] > 60].T
        return np.stack([left, top, left + width, top + height, np.full(len(area), 0.8)], axis=1).astype(np.float32)


@pytest.fixture(autouse=True)
def teachers(monkeypatch):
    monkeypatch.setattr(compose_pictures, "TiledDetector", Bright)
    monkeypatch.setattr(Bright, "calls", 0)


def street(seed=0):
    image = np.random.default_rng(seed).integers(0, 60, (240, 320, 3), dtype=np.uint8)
    draw_person(image, PERSON_BOX, (230, 200, 210))
    return image


@pytest.fixture
def pictures(tmp_path):
    """A folder with two pictures, of which the second has nobody in it, and a file of another kind."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    cv2.imwrite(str(folder / "a.png"), street())
    cv2.imwrite(str(folder / "b.png"), np.full((100, 150, 3), 40, np.uint8))
    (folder / "notes.txt").write_text("no picture")
    return folder


def compose(output, *arguments):
    assert compose_pictures.main([*map(str, arguments), *SMALL, "--output", str(output)]) == 0
    with np.load(output.with_name(f"{output.name}.npz")) as arrays:
        return [path.read_bytes() for path in sorted(output.iterdir())], dict(arrays)


def refused(capsys, *arguments):
    assert compose_pictures.main([*map(str, arguments), *SMALL]) == 1
    message = capsys.readouterr().err.splitlines()[-1]
    assert message.startswith("error: ")
    return message


def test_made_up_pictures_can_be_packed(tmp_path, pictures, capsys):
    files, arrays = compose(tmp_path / "made" / "one", pictures, "--count", 6)
    captured = capsys.readouterr()
    assert "1 people cut out of 2 pictures and 0 frames of clips" in captured.err
    people, ignored = (int((arrays["kind"] == kind).sum()) for kind in (PERSON, IGNORED))
    assert f"6 pictures, {people} people, {ignored} ignored" in captured.out and people > 3 and ignored > 3
    compose(tmp_path / "made" / "two", pictures, "--count", 2, "--seed", 1)
    output = tmp_path / "packed.npz"
    sources = [str(tmp_path / "made" / name) for name in ("one", "two")]
    assert pack_training.main([*sources, "--labels", str(tmp_path / "made"), "--output", str(output)]) == 0
    packed = read_packed(output)
    assert packed.sources == ["one", "two"] and packed.numbers.tolist() == [*range(6), 0, 1]
    assert packed.sizes.tolist() == [[96, 168]] * 8 and len(files) == 6
    for index in range(6):
        boxes, kinds = packed.people(index)
        np.testing.assert_array_equal(boxes, arrays["boxes"][arrays["frame"] == index])
        np.testing.assert_array_equal(kinds, arrays["kind"][arrays["frame"] == index])


def test_the_teachers_are_asked_about_the_finished_picture(tmp_path, pictures):
    files, arrays = compose(tmp_path / "one", pictures, "--count", 6)
    assert Bright.calls == 2 * (2 + 6)
    for index, file in enumerate(files):
        image = cv2.imdecode(np.frombuffer(file, np.uint8), cv2.IMREAD_COLOR)
        here = arrays["boxes"][(arrays["frame"] == index) & (arrays["kind"] == PERSON)]
        np.testing.assert_allclose(here, Bright("", 1)(image)[:, :4], atol=1e-3)


def test_a_seed_makes_the_same_pictures(tmp_path, pictures):
    first, labels = compose(tmp_path / "one", pictures, "--count", 3)
    again, others = compose(tmp_path / "two", pictures, "--count", 4)
    assert again[:3] == first and again[3] not in first, "more of them begin with the same ones"
    np.testing.assert_array_equal(labels["boxes"], others["boxes"][others["frame"] < 3])
    assert not set(compose(tmp_path / "three", pictures, "--count", 3, "--seed", 7)[0]) & set(first)


def test_clips_and_single_pictures(tmp_path, pictures, capsys):
    write_video(tmp_path / "clip.mp4", [street(seed) for seed in range(7)])
    compose(tmp_path / "one", tmp_path / "clip.mp4", "--every", 3, "--count", 1)
    assert "people cut out of 0 pictures and 3 frames of clips" in capsys.readouterr().err
    (tmp_path / "clip.mp4").rename(pictures / "clip.mp4")
    (pictures / "c.jpg").write_bytes(b"damaged")
    compose(tmp_path / "two", pictures, pictures / "a.png", "--every", 7, "--count", 1)
    told = capsys.readouterr().err
    assert "skipped: " in told and "c.jpg" in told and "of 3 pictures and 1 frames of clips" in told


def test_long_clips_are_thinned_out_evenly():
    few = compose_pictures.Few(4)
    for number in range(21):
        few.add(number)
    assert few.items == [0, 8, 16]


def test_who_is_covered_small_or_lies_is_not_cut_out():
    boxes = [
        [0, 0, 30, 90],
        [15, 0, 45, 90],
        [100, 0, 130, 90],
        [200, 0, 210, 90],
        [300, 0, 390, 90],
        [0, 200, 16, 239],
    ]
    assert compose_pictures._free(np.float32(boxes)).tolist() == [False, False, True, False, False, False]
    assert compose_pictures._free(np.zeros((0, 4), np.float32)).shape == (0,)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        pytest.param(["{folder}/none"], ["none", "does not exist", "expected a picture"], id="missing"),
        pytest.param(["{folder}/empty"], ["empty", "no picture and no clip", "give the folder"], id="empty"),
        pytest.param(["{folder}/b.png"], ["nobody", "1 pictures and 0 frames", "add some"], id="nobody"),
        pytest.param(["{folder}", "--count", "0"], ["count", "at least 1", "0"], id="count"),
        pytest.param(["{folder}", "--every", "0"], ["every", "at least 1", "0"], id="every"),
        pytest.param(["{folder}", "--seed", "-1"], ["seed", "at least 0", "-1"], id="seed"),
    ],
)
def test_mistakes_cost_a_line(tmp_path, pictures, capsys, arguments, words):
    (pictures / "empty").mkdir()
    given = [text.format(folder=pictures) for text in arguments]
    message = refused(capsys, *given, "--output", tmp_path / "made")
    assert all(word in message for word in words), message
    assert not (tmp_path / "made").exists() and not (tmp_path / "made.npz").exists()


@pytest.mark.parametrize("size", ["large", "0x0", "168x63", "9999x96", "168x96x3", "-168x96"])
def test_sizes_that_are_none(tmp_path, pictures, capsys, size):
    arguments = [str(pictures), *SMALL[:-1], f"--output={tmp_path / 'made'}"]
    arguments[arguments.index("--size")] = f"--size={size}"
    assert compose_pictures.main(arguments) == 1
    assert "size" in capsys.readouterr().err and not (tmp_path / "made").exists()


def test_a_teacher_that_is_not_there(tmp_path, pictures, capsys, monkeypatch):
    monkeypatch.undo()
    assert "one.xml" in refused(capsys, pictures, "--output", tmp_path / "made")


def test_what_is_there_stays(tmp_path, pictures, capsys):
    output = tmp_path / "made"
    output.mkdir()
    (output / "mine.jpg").write_text("mine")
    assert "is not empty; give another" in refused(capsys, pictures, "--output", output)
    assert [path.name for path in output.iterdir()] == ["mine.jpg"]
    (tmp_path / "other.npz").write_text("mine")
    assert "other.npz" in refused(capsys, pictures, "--output", tmp_path / "other")
    assert (tmp_path / "other.npz").read_text() == "mine" and not (tmp_path / "other").exists()
    assert "cannot be made" in refused(capsys, pictures, "--output", tmp_path / "other.npz")


def test_an_interrupt_leaves_what_was_made(tmp_path, pictures, monkeypatch):
    def interrupted(self, image):
        if Bright.calls == 2 * (2 + 3):
            raise KeyboardInterrupt
        return ask(self, image)

    ask = Bright.__call__
    monkeypatch.setattr(Bright, "__call__", interrupted)
    output = tmp_path / "made"
    assert compose_pictures.main([str(pictures), *SMALL, "--output", str(output)]) == 130
    assert [path.name for path in sorted(output.iterdir())] == [f"{number:06d}.jpg" for number in range(3)]
    assert pack_training.main([str(output), "--labels", str(tmp_path), "--output", str(tmp_path / "set.npz")]) == 0
