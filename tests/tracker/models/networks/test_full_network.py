"""The full network: weights converted on first use, and detections equal to those of PaddleDetection's own model.

The published weights are 293 MB; random ones of the same names and shapes do for a comparison, once they are made to
find a few hundred people in a picture.
"""

import dataclasses
import gc

import cv2
import numpy as np
import pytest

from tests.helpers.paths import CLIP
from tracker.detection.backends.network import to_floats
from tracker.detection.backends.openvino_network import OpenVINONetwork
from tracker.detection.backends.paddle_network import PaddleNetwork
from tracker.detection.decode import Decoder, decode_boxes, gather_rows, non_maximum_suppression
from tracker.detection.letterbox import Letterbox, LetterboxedImage
from tracker.errors import ModelError
from tracker.models.locate import FULL_CONFIG, cache_folder, find_model
from tracker.settings.model import LetterboxConfig, ModelConfig

pytestmark = pytest.mark.slow

FRAMES = (0, 250)
SIZE = (608, 1088)


def read_frame(number):
    video = cv2.VideoCapture(str(CLIP))
    video.set(cv2.CAP_PROP_POS_FRAMES, number)
    return video.read()[1]


def randomise(model, blob):
    """Weights that keep the signal alive through 53 layers, and outputs spread like those of a trained network.

    BatchNorm statistics are about those of the picture, as after training: without them every picture looks the same
    to the last layers. Of the 54,264 boxes about 400 get a score above 0.5, with sizes within a factor of 2 of their
    anchors.
    """
    import paddle

    random = np.random.default_rng(7)

    def measure(layer, inputs):
        mean, variance = inputs[0].mean([0, 2, 3]).numpy(), inputs[0].var([0, 2, 3]).numpy() + 1e-3
        layer._mean.set_value((mean + random.normal(0, 0.1, mean.shape) * np.sqrt(variance)).astype(np.float32))
        layer._variance.set_value((variance * random.uniform(0.8, 1.25, mean.shape)).astype(np.float32))
        layer.weight.set_value(random.uniform(0.8, 1.2, mean.shape).astype(np.float32))
        layer.bias.set_value(random.normal(0, 0.1, mean.shape).astype(np.float32))

    norms = [layer for layer in model.sublayers() if isinstance(layer, paddle.nn.BatchNorm2D)]
    hooks = [layer.register_forward_pre_hook(measure) for layer in norms]
    body = model.detector.neck(model.detector.backbone({"image": paddle.to_tensor(blob)}), True)
    for hook in hooks:
        hook.remove()
    for head, feature in zip(model.detector.yolo_head.yolo_outputs, body["yolo_feats"]):
        raw = head(feature).numpy()[0].reshape(24, -1)
        spread = np.tile(np.array([0.2, 0.2, 0.25, 0.25, 1, 1]), 4)  # dx, dy, dw, dh, two logits of four anchors
        middle = np.tile(np.array([0, 0, 0, 0, 2.15, -2.15]), 4)
        factor = spread / raw.std(axis=1)
        bias = head.bias.numpy()
        bias = (bias - raw.mean(axis=1)) * factor + middle
        head.weight.set_value((head.weight.numpy() * factor[:, None, None, None]).astype(np.float32))
        head.bias.set_value(bias.astype(np.float32))


def reference_detections(model, blob, frame):
    """Boxes in network pixels, scores and embeddings of ppdet's JDE; and its result in pixels of the frame, rounded."""
    import paddle

    ratio = min(SIZE[0] / frame.shape[0], SIZE[1] / frame.shape[1])
    shape = [[round(frame.shape[0] * ratio), round(frame.shape[1] * ratio)]]
    inputs = {
        "image": paddle.to_tensor(blob.copy()),
        "im_shape": paddle.to_tensor(np.array(shape, np.float32)),
        "scale_factor": paddle.to_tensor(np.array([[ratio, ratio]], np.float32)),
    }
    in_network = []

    def scale_coords(coords, *arguments):
        in_network.append(coords.numpy().copy())
        return type(model.reid).scale_coords(model.reid, coords, *arguments)

    model.reid.scale_coords = scale_coords
    with paddle.no_grad():
        rows, embeddings = model(inputs)
    rows = rows.numpy()
    return {
        "boxes": in_network[0],
        "scores": rows[:, 1],
        "embeddings": embeddings.numpy(),
        "rounded": rows[:, 2:],
    }


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    """A weights file of random values, and what ppdet makes of it in two frames."""
    import paddle

    from tracker.models.networks import darknet53

    static = not paddle.in_dynamic_mode()
    paddle.disable_static()
    paddle.seed(7)
    model, settings = darknet53.build(FULL_CONFIG)
    letterbox = Letterbox(LetterboxConfig(**darknet53.inference_settings(settings)["input"]))

    def to_blob(image):
        return to_floats(letterbox(image)[0], letterbox.config.scale)

    frames = {number: read_frame(number) for number in FRAMES}
    with paddle.no_grad():
        randomise(model, to_blob(frames[0]))
    weights = tmp_path_factory.mktemp("full") / "random.pdparams"
    paddle.save(model.state_dict(), str(weights))
    found = {}
    for number, frame in frames.items():
        found[number] = reference_detections(model, to_blob(frame), frame)
        gc.collect()
    needed = set(darknet53.needed_parameters(model))
    del model
    gc.collect()
    if static:
        paddle.enable_static()
    yield {"weights": weights, "frames": frames, "found": found, "needed": needed}
    weights.unlink()


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HUB_HOME", str(tmp_path_factory.mktemp("home")))
        yield


@pytest.fixture(scope="module")
def folder(reference, home):
    return find_model(reference["weights"])


@pytest.fixture(scope="module")
def config(folder):
    return ModelConfig.load(folder)


@pytest.fixture(scope="module")
def network(folder, config):
    return PaddleNetwork(folder, config)


@pytest.fixture(scope="module", params=FRAMES)
def frame(request, reference, config, network):
    """A frame with what ppdet found, and the outputs of the converted network for it."""
    image = reference["frames"][request.param]
    pixels, transform = Letterbox(config.letterbox)(image)
    letterboxed = LetterboxedImage(pixels, transform, image)
    return {
        "image": image,
        "letterboxed": letterboxed,
        "outputs": network.run(pixels),
        **reference["found"][request.param],
    }


def matched(ours, theirs, tolerance):
    """Pairs [K, 2] of boxes whose corners differ by no more than a tolerance."""
    distance = np.abs(ours[:, None] - theirs[None]).max(axis=2)
    nearest = distance.argmin(axis=1)
    rows = np.flatnonzero(distance[np.arange(len(ours)), nearest] <= tolerance)
    assert len(set(nearest[rows])) == len(rows)  # no two of ours are one of theirs
    return np.stack([rows, nearest[rows]], axis=1)


def test_the_folder_says_what_the_configuration_says(config):
    assert (config.name, config.label) == ("jde_darknet53_30e_1088x608", "pedestrian")
    box = config.letterbox
    assert (box.height, box.width, box.color, box.place, box.pad_value) == (608, 1088, "RGB", "center", 127.5)
    assert box.scale == pytest.approx(1 / 255)
    limits = config.thresholds
    assert (limits.high_conf_thres, limits.nms, limits.nms_top_k, limits.keep_top_k) == (0.5, 0.4, 2000, 500)
    assert limits.score == 0.1  # lower than the reference's: doubtful boxes continue tracks
    assert [level.stride for level in config.levels] == [32, 16, 8]
    assert config.levels[0].anchors[0] == (128, 384) and config.levels[2].anchors[3] == (23, 68)
    assert config.embedding.dimension == 512


def test_a_second_use_converts_nothing(reference, folder):
    assert folder.parent == cache_folder()
    before = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    assert len(before) == 5
    assert find_model(str(reference["weights"])) == folder
    assert {path: path.stat().st_mtime_ns for path in folder.iterdir()} == before
    assert sorted(path.name for path in folder.parent.iterdir() if path.suffix != ".lock") == [folder.name]


def test_detections_equal_the_reference_in_network_pixels(frame, network, config):
    count = len(config.levels)
    candidates = decode_boxes(frame["outputs"][:count], config, config.thresholds.high_conf_thres)
    kept = candidates.take(non_maximum_suppression(candidates.boxes, candidates.scores, config.thresholds))
    groups, place = gather_rows(frame["outputs"][count:], kept, frame["letterboxed"], config)
    embeddings = network.embed(groups)[place]
    embeddings /= np.linalg.norm(embeddings, axis=1, keepdims=True)

    total = len(frame["boxes"])
    assert 200 < total < 500 and len(candidates.scores) > total + 20  # NMS had something to do
    assert len(set(kept.level)) == count
    pairs = matched(kept.boxes, frame["boxes"], tolerance=0.1)
    # a box or two may fall on the other side of a threshold by rounding
    assert len(pairs) >= 0.99 * max(len(kept.scores), total)
    ours, theirs = pairs.T
    size = np.maximum(1, (frame["boxes"][theirs, 2:] - frame["boxes"][theirs, :2]).max(axis=1, keepdims=True))
    assert (np.abs(kept.boxes[ours] - frame["boxes"][theirs]) / size).max() < 1e-3
    np.testing.assert_allclose(kept.scores[ours], frame["scores"][theirs], rtol=1e-3)
    difference = np.linalg.norm(embeddings[ours] - frame["embeddings"][theirs], axis=1)
    assert difference.max() < 1e-3  # of vectors of length 1


def test_detections_equal_the_rounded_result_in_the_frame(frame, network, config):
    height, width = frame["image"].shape[:2]
    limits = dataclasses.replace(
        config.thresholds, score=config.thresholds.high_conf_thres
    )  # the reference knows no doubt
    detections = Decoder(config, limits)(frame["outputs"], frame["letterboxed"], network.embed)
    ours = np.clip(detections.boxes, 0, [width, height] * 2)
    theirs = np.clip(frame["rounded"], 0, [width, height] * 2)
    in_sight = (theirs[:, 2:] > theirs[:, :2]).all(axis=1)
    scores, theirs = frame["scores"][in_sight], theirs[in_sight]
    assert len(theirs) > 200
    missing = []
    for box, score in zip(theirs, scores):
        same = np.abs(detections.scores - score) < 1e-3 * score
        if not (np.abs(ours[same].round() - box).max(axis=1, initial=0) <= 1).any():
            missing.append(box)
    assert len(missing) <= 0.01 * len(theirs), missing
    assert len(ours) <= len(theirs) + 0.01 * len(theirs) + (~in_sight).sum()


def test_letterbox_equals_the_reference(reference, config):
    from ppdet.data.transform.mot_operators import LetterBoxResize
    from ppdet.data.transform.operators import NormalizeImage, Permute

    steps = [LetterBoxResize(list(SIZE)), NormalizeImage(mean=[0, 0, 0], std=[1, 1, 1], is_scale=True), Permute()]
    letterbox = Letterbox(config.letterbox)
    street = reference["frames"][250]
    for size in [(768, 576), (1920, 1080), (641, 479), (300, 700), (1088, 608), (2000, 333)]:
        image = cv2.resize(street, size)
        sample = {"image": image[:, :, ::-1].copy(), "im_shape": np.array(image.shape[:2], np.float32)}
        for step in steps:
            sample = step(sample)
        pixels, transform = letterbox(image)
        np.testing.assert_allclose(to_floats(pixels, config.letterbox.scale)[0], sample["image"], atol=1e-6)
        assert (transform.height, transform.width) == tuple(sample["im_shape"].astype(int))


def test_openvino_gives_the_same_maps_and_embeddings(folder, config, network, frame, reference):
    pytest.importorskip("openvino")
    other = OpenVINONetwork(folder, config)
    pixels = Letterbox(config.letterbox)(frame["image"])[0]
    for found, expected in zip(other.run(pixels), frame["outputs"], strict=True):
        assert found.shape == expected.shape and np.abs(found - expected).max() < 1e-4 * np.abs(expected).max()
    # groups of rows of three lengths, which OpenVINO lists in another order
    channels = [features.shape[1] for features in frame["outputs"][len(config.levels) :]]
    random = np.random.default_rng(0)
    rows = [random.normal(size=(k, 9 * c)).astype(np.float32) for k, c in zip((3, 0, 5), channels)]
    found, expected = other.embed(rows), network.embed(rows)
    assert len(expected) == 8 and np.abs(found - expected).max() < 1e-4 * np.abs(expected).max()


def test_another_input_size_gives_the_same_maps_by_both(folder, config, reference):
    pytest.importorskip("openvino")
    image = next(iter(reference["frames"].values()))
    smaller = config.with_input_size((640, 352))
    pixels = Letterbox(smaller.letterbox)(image)[0]
    ours, theirs = (backend(folder, smaller).run(pixels) for backend in (PaddleNetwork, OpenVINONetwork))
    assert [found.shape[2:] for found in ours] == [(352 // s, 640 // s) for s in (32, 16, 8)] * 2
    for found, expected in zip(ours, theirs, strict=True):
        assert np.abs(found - expected).max() < 1e-4 * np.abs(expected).max()


def test_weights_that_lack_an_array_are_refused(reference, home, tmp_path):
    import paddle

    from tracker.models.pdparams import load_pdparams

    arrays = {name: value for name, value in load_pdparams(reference["weights"]).items() if name in reference["needed"]}
    del arrays["detector.neck.yolo_block.0.tip.conv.weight"]
    arrays["reid.identify_output.1.bias"] = arrays["reid.identify_output.1.bias"].reshape(2, 256)
    path = tmp_path / "other.pdparams"
    paddle.save(arrays, str(path))
    del arrays
    with pytest.raises(ModelError) as caught:
        find_model(path)
    path.unlink()
    message = str(caught.value)
    assert "\n" not in message and str(path) in message
    assert "1 of" in message and "'detector.neck.yolo_block.0.tip.conv.weight'" in message
    assert "'reid.identify_output.1.bias' has shape [2, 256] where [512] is needed" in message
    assert not any(entry.name.startswith("other") and entry.is_dir() for entry in cache_folder().iterdir())
