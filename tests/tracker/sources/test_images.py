import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from tracker.errors import OptionError
from tracker.sources.images import find_images, natural_order, read_image, to_bgr8


def test_proper_image_is_not_copied():
    image = np.zeros((4, 5, 3), np.uint8)
    assert to_bgr8(image) is image


def test_strided_image_becomes_contiguous():
    image = np.arange(60, dtype=np.uint8).reshape(4, 5, 3)[:, ::-1]
    result = to_bgr8(image)
    assert result.flags.c_contiguous
    np.testing.assert_array_equal(result, image)


@pytest.mark.parametrize("shape", [(4, 5), (4, 5, 1)])
def test_grey_fills_three_channels(shape):
    image = np.arange(20, dtype=np.uint8).reshape(shape)
    result = to_bgr8(image)
    assert result.shape == (4, 5, 3)
    assert result.flags.c_contiguous
    for channel in range(3):
        np.testing.assert_array_equal(result[:, :, channel], image.reshape(4, 5))


def test_alpha_is_dropped():
    image = np.arange(80, dtype=np.uint8).reshape(4, 5, 4)
    np.testing.assert_array_equal(to_bgr8(image), image[:, :, :3])


@pytest.mark.parametrize("dtype", ["<u2", ">u2"])
def test_sixteen_bits_are_scaled_and_rounded(dtype):
    image = np.array([[0, 128, 129, 257, 32896, 65406, 65407, 65535]], dtype)
    assert to_bgr8(image)[0, :, 0].tolist() == [0, 0, 1, 1, 128, 254, 255, 255]


@pytest.mark.parametrize(
    ("image", "words"),
    [
        (np.zeros((4, 5, 3), np.float32), ["[4, 5, 3]", "float32"]),
        (np.zeros((4, 5, 3), bool), ["[4, 5, 3]", "bool"]),
        (np.zeros((4, 5, 3), np.int32), ["int32"]),
        (np.zeros((4, 5, 2), np.uint8), ["[4, 5, 2]"]),
        (np.zeros((1, 4, 5, 3), np.uint8), ["[1, 4, 5, 3]"]),
        (np.zeros(4, np.uint8), ["[4]"]),
        (np.zeros((0, 5, 3), np.uint8), ["[0, 5, 3]"]),
        ([[1, 2], [3, 4]], ["list"]),
        (None, ["NoneType"]),
    ],
)
def test_anything_else_is_refused_by_name(image, words):
    with pytest.raises(OptionError) as caught:
        to_bgr8(image)
    assert "\n" not in str(caught.value)
    for word in words:
        assert word in str(caught.value)


@given(
    arrays.arrays(
        dtype=st.one_of(st.sampled_from([np.uint8, np.uint16]), arrays.scalar_dtypes()),
        shape=arrays.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5),
    )
)
def test_result_is_an_image_or_an_option_error(image):
    usable = image.ndim in (2, 3) and image.shape[2:] in [(), (1,), (3,), (4,)] and image.size
    if usable and image.dtype.type in (np.uint8, np.uint16):
        result = to_bgr8(image)
        assert result.shape == (*image.shape[:2], 3)
        assert result.dtype == np.uint8
        assert result.flags.c_contiguous
    else:
        with pytest.raises(OptionError):
            to_bgr8(image)


def test_image_with_any_name_and_depth_is_read(tmp_path):
    path = tmp_path / "行人 #1.png"
    grey16 = np.array([[0, 65535], [257, 514]], np.uint16)
    path.write_bytes(cv2.imencode(".png", grey16)[1].tobytes())
    assert read_image(path)[:, :, 1].tolist() == [[0, 255], [1, 2]]


def test_exif_orientation_is_honoured(tmp_path):
    image = np.zeros((16, 32, 3), np.uint8)
    image[:, :16] = 255
    jpeg = cv2.imencode(".jpg", image)[1].tobytes()
    # Orientation 6: the camera was held upright, turn the picture clockwise; its left side goes to the top.
    exif = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"
    path = tmp_path / "phone.jpg"
    path.write_bytes(jpeg[:2] + b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif + jpeg[2:])
    result = read_image(path)
    assert result.shape == (32, 16, 3)
    assert result[:14].min() > 200
    assert result[18:].max() < 50


@pytest.mark.parametrize("content", [b"", b"no image", None])
def test_unreadable_file_gives_none(tmp_path, content):
    path = tmp_path / "broken.png"
    if content is not None:
        path.write_bytes(content)
    assert read_image(path) is None


def test_float_tiff_gives_none(tmp_path):
    cv2.imwrite(str(tmp_path / "depth.tiff"), np.zeros((4, 5), np.float32))
    assert read_image(tmp_path / "depth.tiff") is None


def test_natural_order(tmp_path):
    names = ["b.png", "img2.png", "a²7.png", "img10.png", "IMG1.png", "img01.png", "7.png"]
    ordered = [path.name for path in sorted((tmp_path / name for name in names), key=natural_order)]
    assert ordered == ["7.png", "a²7.png", "b.png", "IMG1.png", "img01.png", "img2.png", "img10.png"]


def test_only_image_files_are_found(tmp_path):
    for name in ["b.JPG", "a.webp", "c.TIFF", "._a.webp", "notes.txt", "video.mp4"]:
        (tmp_path / name).touch()
    (tmp_path / "folder.png").mkdir()
    images = find_images(tmp_path)
    assert [file.name for file in images.files] == ["a.webp", "b.JPG", "c.TIFF"]
    assert (images.path, images.frame_rate, images.numbers) == (tmp_path, None, None)
