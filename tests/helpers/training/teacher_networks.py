"""Small networks in OpenVINO, as files: detectors and ReID networks that answer by rules of their own."""

import numpy as np
import openvino
from openvino import opset8 as op


def save(path, image, outputs):
    """Write a network with named outputs."""
    results = []
    for name, node in outputs.items():
        result = op.result(node)
        result.output(0).get_tensor().set_names({name})
        results.append(result)
    openvino.save_model(openvino.Model(results, [image]), path, compress_to_fp16=False)
    return path


def image_input(shape):
    image = op.parameter(shape, np.float32)
    image.output(0).get_tensor().set_names({"image"})
    return image


def nothing(image):
    """0, computed from the image."""
    return op.multiply(op.reduce_mean(image, [0, 1, 2, 3], keep_dims=False), np.float32(0))


def boxes_detector(path, rows, labels=None, size=(64, 96)):
    """Finds the same boxes in every image: rows of left, top, right, bottom in its own pixels, score."""
    image = image_input([1, 3, *size])
    outputs = {"boxes": op.add(op.constant(np.float32(rows).reshape(-1, 5)), nothing(image))}
    if labels is not None:
        outputs["labels"] = op.constant(np.int64(labels))
    return save(path, image, outputs)


def brightest_detector(path, size=(64, 96), score=0.9):
    """Finds the one bright rectangle of a dark image, wherever it is: its borders, to a pixel of the input.

    The input may be reshaped.
    """
    image = image_input([1, 3, *size])
    bright = op.convert(op.greater(op.reduce_mean(image, [0, 1], keep_dims=False), np.float32(100)), "f32")
    sides = []
    for axis in (0, 1):  # over rows: which columns are bright; over columns: which rows
        line = op.reduce_max(bright, [axis], keep_dims=False)
        length = op.convert(op.reduce_prod(op.shape_of(line), [0], keep_dims=False), "f32")
        place = op.range(np.float32(0), length, np.float32(1), "f32")
        last = op.reduce_max(op.multiply(line, op.add(place, np.float32(1))), [0], keep_dims=True)
        first = op.subtract(length, op.reduce_max(op.multiply(line, op.subtract(length, place)), [0], keep_dims=True))
        sides.append((first, last))
    (left, right), (top, bottom) = sides
    # nothing bright: the first place lies at the end and the score falls to 0
    found = op.multiply(op.reduce_max(bright, [0, 1], keep_dims=False), np.float32(score))
    row = op.concat([left, top, right, bottom, op.unsqueeze(found, 0)], 0)
    return save(path, image, {"boxes": op.unsqueeze(row, 0)})


def mean_colour(path, shape=(1, 3, 256, 128)):
    """A ReID network: the mean colour of a crop, less 90."""
    image = image_input(shape)
    axes = [2, 3] if shape[1] == 3 else [1, 2]
    return save(path, image, {"embedding": op.subtract(op.reduce_mean(image, axes, keep_dims=False), np.float32(90))})


def yolox(path, rows, size=(64, 96)):
    """Gives the same rows [1, cells, 5 + classes] for every image."""
    image = image_input([1, 3, *size])
    return save(path, image, {"output": op.add(op.constant(np.float32(rows)), nothing(image))})
