"""Image files: found, measured by their headers, read as 8-bit BGR."""

import struct
import zlib

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from tests.helpers.videos import read_source, source_error
from tracker.errors import OptionError, SourceError
from tracker.sources.image_header import image_size, is_cut_off
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


# ---- headers

KINDS = {
    "baseline.jpg": [],
    "progressive.jpg": [cv2.IMWRITE_JPEG_PROGRESSIVE, 1],
    "restarts.jpg": [cv2.IMWRITE_JPEG_RST_INTERVAL, 1],
    "a.png": [],
    "a.bmp": [],
    "lzw.tiff": [],
    "plain.tif": [cv2.IMWRITE_TIFF_COMPRESSION, 1],
    "lossy.webp": [cv2.IMWRITE_WEBP_QUALITY, 80],
    "lossless.webp": [cv2.IMWRITE_WEBP_QUALITY, 101],
}


def encoded(name, shape=(37, 61, 3)):
    image = np.random.default_rng(0).integers(0, 255, shape).astype(np.uint8)
    return cv2.imencode("." + name.split(".")[1], image, KINDS[name])[1].tobytes()


@pytest.mark.parametrize("name", KINDS)
def test_size_is_that_of_the_decoded_image(name):
    for shape in ((37, 61, 3), (1, 1, 3), (300, 7, 3), (40, 50)):
        assert image_size(encoded(name, shape)) == (shape[1], shape[0])


@pytest.mark.parametrize("name", ["a.png", "lossy.webp", "lossless.webp"])
def test_size_with_transparency(name):
    assert image_size(encoded(name, (37, 61, 4))) == (61, 37)


def test_size_of_a_motorola_tiff_and_of_a_big_one():
    entries = [(256, 3, 700), (257, 4, 500)]
    data = b"MM\0*" + struct.pack(">IH", 8, len(entries))
    for tag, kind, value in entries:
        data += struct.pack(">HHIHH" if kind == 3 else ">HHII", tag, kind, 1, value, *[0] * (kind == 3))
    assert image_size(data) == (700, 500)
    data = b"II+\0" + struct.pack("<HHQQ", 8, 0, 16, len(entries))
    data += b"".join(struct.pack("<HHQQ", tag, kind, 1, value) for tag, kind, value in entries)
    assert image_size(data) == (700, 500)


@pytest.mark.parametrize("name", KINDS)
def test_damaged_headers_raise_nothing(name):
    data = encoded(name)
    for length in range(min(len(data), 700)):
        image_size(data[:length])
        is_cut_off(data[:length])
    rng = np.random.default_rng(1)
    for _ in range(300):
        damaged = bytearray(data)
        for at in rng.integers(0, min(len(data), 400), 4):
            damaged[at] = rng.integers(256)
        image_size(bytes(damaged))
        is_cut_off(bytes(damaged))


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("share", [0.2, 0.5, 0.9, 0.999])
def test_cut_off_image_counts_as_corrupt(tmp_path, name, share):
    data = encoded(name)
    (tmp_path / "a.jpg").write_bytes(data)
    (tmp_path / "b.jpg").write_bytes(data[: int(len(data) * share)])
    (tmp_path / "c.jpg").write_bytes(data)
    source, frames = read_source(tmp_path)
    assert source.skipped == 1
    assert [frame.index for frame in frames] == [0, 2]


def test_end_of_a_thumbnail_is_not_the_end_of_the_image(tmp_path):
    data = encoded("baseline.jpg")
    thumbnail = b"Exif\0\0" + data
    data = data[:2] + b"\xff\xe1" + struct.pack(">H", len(thumbnail) + 2) + thumbnail + data[2:]
    (tmp_path / "a.jpg").write_bytes(data)
    assert read_image(tmp_path / "a.jpg") is not None
    (tmp_path / "a.jpg").write_bytes(data[:-200])
    assert read_image(tmp_path / "a.jpg") is None


def test_what_follows_the_end_does_no_harm(tmp_path):
    (tmp_path / "a.jpg").write_bytes(encoded("baseline.jpg") + b"\0" * 1000)
    assert read_image(tmp_path / "a.jpg").shape == (37, 61, 3)


def black_png(width, height):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(100))) + chunk(b"IEND", b"")
    )


def test_larger_images_are_not_decoded(tmp_path, monkeypatch, caplog):
    def decode(*_):
        raise AssertionError("decoded")

    path = tmp_path / "bomb.png"
    path.write_bytes(black_png(10_001, 10_000))
    with monkeypatch.context() as patch:
        patch.setattr(cv2, "imdecode", decode)
        assert "10001 x 10000 pixels, more than max_pixels (100000000)" in source_error(path)
    (tmp_path / "fine.png").write_bytes(encoded("a.png"))
    source, frames = read_source(tmp_path)
    assert (source.skipped, len(frames)) == (1, 1)
    assert "bomb.png" in caplog.text


def test_limit_of_pixels_can_be_set(tmp_path):
    (tmp_path / "a.png").write_bytes(encoded("a.png"))
    with pytest.raises(SourceError, match="61 x 37"):
        read_image(tmp_path / "a.png", 61 * 37 - 1)
    assert read_image(tmp_path / "a.png", 61 * 37) is not None


def test_file_too_large_for_its_pixels_is_not_read(tmp_path):
    with (tmp_path / "a.bmp").open("wb") as file:
        file.write(encoded("a.bmp"))
        file.truncate(1 << 40)  # takes no space
    assert read_image(tmp_path / "a.bmp") is None
