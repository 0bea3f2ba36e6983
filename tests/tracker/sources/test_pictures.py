"""Pictures as players show them: turned, mirrored, in the right colours; those that cannot be shown are skipped."""

import gc
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from tests.helpers.videos import numbered_frames, read_source, set_display_matrix, write_video
from tracker.sources import open_source
from tracker.sources.pictures import Upright

CORNERS = np.zeros((64, 96, 3), np.uint8)  # each quarter is of another grey
CORNERS[:32, :48], CORNERS[:32, 48:], CORNERS[32:, :48], CORNERS[32:, 48:] = 30, 90, 150, 210


@pytest.mark.parametrize(
    ("matrix", "expected"),
    [
        ((1, 0, 0, 1), CORNERS),
        ((-1, 0, 0, 1), CORNERS[:, ::-1]),
        ((1, 0, 0, -1), CORNERS[::-1]),
        ((-1, 0, 0, -1), CORNERS[::-1, ::-1]),
        ((0, 1, 1, 0), CORNERS.transpose(1, 0, 2)),
        ((0, -1, -1, 0), CORNERS[::-1, ::-1].transpose(1, 0, 2)),
        ((0, 1, -1, 0), np.rot90(CORNERS, -1)),
        ((0, -1, 1, 0), np.rot90(CORNERS)),
        ((0, 0, 0, 0), CORNERS),
    ],
)
def test_display_matrix_is_obeyed(tmp_path, matrix, expected):
    path = write_video(tmp_path / "clip.mp4", [CORNERS] * 2)
    set_display_matrix(path, *matrix)
    _, frames = read_source(path)
    assert frames[0].image.shape == expected.shape
    assert frames[0].image.flags.c_contiguous
    assert np.abs(frames[0].image.astype(int) - expected).mean() < 5


def test_exif_orientation_within_a_stream_is_obeyed(tmp_path):
    jpeg = cv2.imencode(".jpg", CORNERS)[1].tobytes()
    exif = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"
    jpeg = jpeg[:2] + b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif + jpeg[2:]
    (tmp_path / "clip.mjpeg").write_bytes(jpeg * 3)
    source, frames = read_source(tmp_path / "clip.mjpeg")
    assert (source.skipped, len(frames)) == (0, 3)
    assert np.abs(frames[0].image.astype(int) - np.rot90(CORNERS, -1)).mean() < 5


@pytest.mark.parametrize(("turned", "expected"), [(False, Fraction(2)), (True, Fraction(1, 2))])
def test_pixel_aspect_comes_with_every_frame(tmp_path, turned, expected):
    path = tmp_path / "half.mp4"
    with av.open(str(path), "w") as output:
        stream = output.add_stream("libx264", rate=10, width=64, height=96, pix_fmt="yuv420p")
        stream.codec_context.sample_aspect_ratio = Fraction(2)
        for packet in [*stream.encode(av.VideoFrame(64, 96, "yuv420p")), *stream.encode()]:
            output.mux(packet)
    if turned:
        set_display_matrix(path, 0, 1, -1, 0)
    source, frames = read_source(path)
    assert source.pixel_aspect == frames[0].pixel_aspect == expected


BARS = np.zeros((64, 96, 3), np.uint8)
BARS[:, :32], BARS[:, 32:64], BARS[:, 64:] = (200, 60, 30), (40, 180, 60), (50, 40, 220)
MATRICES = {1: (0.2126, 0.0722), 5: (0.299, 0.114), 6: (0.299, 0.114), 7: (0.212, 0.087), 9: (0.2627, 0.0593)}


@pytest.mark.parametrize("matrix", MATRICES)
@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize(("bits", "pixel_format"), [(8, "yuv444p"), (10, "yuv444p10le"), (12, "yuv444p12le")])
def test_colours_of_every_matrix_range_and_depth(matrix, full, bits, pixel_format):
    red_share, blue_share = MATRICES[matrix]
    blue, green, red = (BARS[..., channel] / 255 for channel in range(3))
    luma = red_share * red + (1 - red_share - blue_share) * green + blue_share * blue
    chroma = [(blue - luma) / (2 - 2 * blue_share), (red - luma) / (2 - 2 * red_share)]
    most, unit = 2**bits - 1, 2 ** (bits - 8)
    picture = av.VideoFrame(96, 64, pixel_format)
    picture.colorspace, picture.color_range = matrix, 2 if full else 1
    scaled = luma * most if full else (luma * 219 + 16) * unit
    for plane, values in zip(
        picture.planes, [scaled, *((c * (most if full else 224 * unit)) + 128 * unit for c in chroma)]
    ):
        depth = np.uint8 if bits == 8 else np.uint16
        rows = np.zeros((64, plane.line_size // depth().itemsize), depth)
        rows[:, :96] = values.round().clip(0, most)
        plane.update(rows.tobytes())
    image, _ = Upright().convert(picture)
    assert np.abs(image.astype(int) - BARS).max() <= 3


@pytest.mark.parametrize("matrix", [3, 8, 10, 11, 12, 13, 14, 200])
def test_matrices_that_ffmpeg_does_not_convert_are_shown_all_the_same(tmp_path, matrix):
    path = tmp_path / "clip.mkv"
    with av.open(str(path), "w") as output:
        stream = output.add_stream("libx264", rate=10, width=96, height=64, pix_fmt="yuv420p")
        stream.codec_context.colorspace = matrix
        for packet in [*stream.encode(av.VideoFrame.from_ndarray(BARS, format="bgr24")), *stream.encode()]:
            output.mux(packet)
    source, frames = read_source(path)
    assert (len(frames), source.skipped, frames[0].image.shape) == (1, 0, BARS.shape)


PIXEL_FORMATS = (
    "gray gray10le gray16le grayf32le pal8 ya8 monob rgb24 rgba rgb48le rgb565le gbrp gbrp10le gbrap16le gbrpf32le "
    "yuva420p yuv410p yuv411p yuv440p yuvj422p yuv420p14le nv12 p010le uyvy422 y210le xyz12le bayer_rggb8 x2rgb10le"
)


@pytest.mark.parametrize("pixel_format", PIXEL_FORMATS.split())
def test_every_pixel_format_is_converted(pixel_format):
    assert Upright().convert(av.VideoFrame(64, 48, pixel_format))[0].shape == (48, 64, 3)


def test_picture_that_cannot_be_converted_is_skipped(tmp_path, monkeypatch):
    path = write_video(tmp_path / "clip.mp4", numbered_frames(6), options={"bf": "0"})

    convert = Upright.convert

    def convert_some(self, picture, aspect=None):
        if round(picture.time * 25) in (2, 3):
            raise av.error.OSError(95, "Operation not supported")
        return convert(self, picture, aspect)

    monkeypatch.setattr(Upright, "convert", convert_some)
    source, frames = read_source(path)
    assert source.skipped == 2
    assert [frame.index for frame in frames] == [0, 1, 4, 5]


def test_pictures_leave_neither_threads_nor_memory_behind(tmp_path):
    path = write_video(tmp_path / "clip.mp4", numbered_frames(40), options={"bf": "0"})
    tasks, most = Path("/proc/self/task"), 0
    gc.collect()
    gc.disable()
    others = sum(isinstance(thing, av.VideoFrame) for thing in gc.get_objects())
    try:
        with open_source(path) as source:
            frames = iter(source)
            next(frames)
            before = len(list(tasks.iterdir()))
            for _ in frames:
                most = max(most, len(list(tasks.iterdir())))
        left = sum(isinstance(thing, av.VideoFrame) for thing in gc.get_objects())
    finally:
        gc.enable()
    assert most <= before + 2 and left - others <= 4
