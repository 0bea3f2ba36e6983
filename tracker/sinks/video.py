"""Encoding of pictures to an MP4 that browsers play, with the source's timing and sound."""

from __future__ import annotations

import contextlib
import errno
import logging
import math
from collections import deque
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from av.video.frame import PictureType
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc, VideoReformatter

from ..errors import OutputError
from ..settings.checks import check_positive
from .audio import AudioCopier
from .files import final_path, is_at, part_path
from .fragments import count_pictures, make_whole, remux

_log = logging.getLogger(__name__)

# Fine enough for every camera clock and every frame rate in use, and what MPEG-TS and RTP count in.
_TICK = Fraction(1, 90_000)

# veryfast leaves the processor to the tracker; at 24 boxes and labels stay crisp. zerolatency: no picture waits in the
# encoder, where a kill would take it (on 16 cores more than a second of them). It also has no B-frames, so decoding
# order is presentation order: times stay exact at variable rate, no edit list is needed, and a file cut short ends on
# a whole picture. forced-idr lets a player start at every key frame asked for.
_X264 = {"preset": "veryfast", "tune": "zerolatency", "crf": "24", "threads": "4", "forced-idr": "1"}
MAX_SIDE = 16384  # pixels of a picture; x264 refuses more

_KEY_INTERVAL = 2.0  # seconds

# The part file grows by a fragment of about a fifth of a second, wherever the key frames are, and is flushed at once.
# What a kill takes is that fragment, the last picture, which waits for its duration, and those still to be drawn: less
# than a second of video, measured in tests/attacks/test_kills.py as the last frame of the text less that of the video.
# delay_moov: ADTS audio has its codec parameters, and AAC its priming, only once the first packet has been seen.
_FRAGMENTED = {
    "movflags": "delay_moov+default_base_moof+skip_trailer",  # the trailer's index of fragments would stay in memory
    "frag_duration": "200000",  # microseconds
    "max_interleave_delta": "1",  # microseconds: pictures do not wait for the sound beside them
    "flush_packets": "1",
}

# The header names all streams, so it waits for the first audio packet, but not for a microphone that is silent or late.
_AUDIO_PATIENCE = 0.5  # seconds of video
_HEADER_FIRST = "empty_moov+default_base_moof+skip_trailer"


class VideoWriter:
    """Writes pictures and the source's sound to an H.264 MP4; a context manager.

    While it runs the video grows in the hidden file `.NAME.part.mp4` beside the target, fragmented, so that it plays
    even after the process is killed. `close` turns it into the final file and replaces an older one of that name.

    Args:
        path: the MP4 to make; its folder must exist.
        frame_rate: frames per second of the source; only the last frame's duration follows from it.
        audio_stream: the input's audio stream, whose packets will be given to `write`; None for a silent video.
        audio_offset: input time of the first video frame in seconds; audio before it is dropped.
        pixel_aspect: width of a pixel over its height, by which players stretch the picture; None for square ones.

    Raises:
        OptionError: frame_rate is not a positive number.
        OutputError: the file cannot be created.
    """

    def __init__(
        self,
        path: Path,
        frame_rate: float,
        audio_stream: av.AudioStream | None = None,
        audio_offset: float = 0.0,
        pixel_aspect: Fraction | None = None,
    ) -> None:
        check_positive("frame_rate", frame_rate)
        self._path = Path(path).absolute()  # FFmpeg would take the "a:" of a relative "a:b.mp4" for a protocol
        self._part = part_path(self._path)
        self._frame_rate = frame_rate
        self._pixel_aspect = pixel_aspect or Fraction(1)
        self._audio: AudioCopier | None = None
        if audio_stream is not None and audio_stream.codec_context is not None:  # FFmpeg has a decoder for it
            self._audio = AudioCopier(audio_stream, audio_offset)
        self._container: av.container.OutputContainer | None = None
        self._reformatter = VideoReformatter()
        self._pending: deque[av.Packet] = deque()  # encoded, not in the file yet
        self._newest: av.Packet | None = None  # picture whose duration is not known yet
        self._last_pts, self._next_key = -1, 0  # ticks
        self._pictures = 0  # handed to the encoder
        self._warned = self._closed = False
        self._error: OutputError | None = None
        try:
            if self._path.is_dir():
                raise IsADirectoryError(errno.EISDIR, "a folder has this name")
            # A folder without permission is reported now, not after the first frame. It stays open so that another
            # file in its place is recognised.
            self._file = self._part.open("wb")
        except OSError as error:
            raise self._failure(error) from error

    def __enter__(self) -> VideoWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            self.close()
        except OutputError as late:
            if kind is None:
                raise
            _log.warning("%s", late)  # what already went wrong matters more to the caller

    def write(self, image: np.ndarray, time: float, audio: Sequence[av.Packet] = ()) -> None:
        """Append a picture.

        Args:
            image: [H, W, 3] uint8 BGR. The first one fixes the size; others are letterboxed into it.
            time: presentation time in seconds, at least 0; one that does not increase is moved just behind the last.
            audio: packets of `audio_stream` read since the picture before; left unchanged.

        Raises:
            ValueError: image is not such an array, time not finite, or the writer closed.
            OutputError: the file cannot be written, now or at an earlier call; `close` saves what came before.
        """
        if self._closed:
            raise ValueError("write to a closed VideoWriter")
        if self._error is not None:
            raise self._error
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or image.size == 0:
            raise ValueError(f"image must be [H, W, 3] uint8, got {list(image.shape)} {image.dtype}")
        if not math.isfinite(time):
            raise ValueError(f"time must be finite, got {time!r}")
        try:
            container = self._container or self._open(*image.shape[:2])
            frame = self._to_frame(image, time)
            # Consumed in C: Ctrl-C cannot come between encoder and queue, and lose a picture that later ones refer to.
            self._pending.extend(self._video.codec_context.encode_lazy(frame))
            self._pictures += 1
            for packet in audio:
                self._add_audio(packet, container)
            self._mux(container)
        except (OSError, av.FFmpegError) as error:
            self._error = self._failure(error)
            raise self._error from error

    def close(self) -> None:
        """Finish the file; calling it again does nothing. Without any frame no file is left.

        Raises:
            OutputError: the end of the video, or the final file, could not be written. What could be is kept.
        """
        if self._closed:
            return
        self._closed = True
        with self._file:
            self._close()

    def _close(self) -> None:
        container = self._container
        if container is None:
            if is_at(self._part, self._file.fileno()):
                self._part.unlink()
            return
        late = None
        try:
            if self._error is None:
                self._pending.extend(self._video.codec_context.encode_lazy(None))
                self._add_audio(None, container)
                self._mux(container, last=True)
                container.close()
        except (OSError, av.FFmpegError) as error:
            self._error = late = self._failure(error)
            late.__cause__ = error  # which tells a full disk from other failures
        finally:
            # After a failed write FFmpeg adds nothing more to the file: this only frees it.
            with contextlib.suppress(OSError, av.FFmpegError):
                container.close()
        self._finish()
        if late is not None:
            raise late

    def _open(self, height: int, width: int) -> av.container.OutputContainer:
        """Create the part file for pictures of this size."""
        if max(height, width) > MAX_SIDE:
            raise OSError(f"its pictures of {width}x{height} exceed the {MAX_SIDE} pixels a side of H.264 encoders")
        self._size = (height, width)
        self._container = av.open(str(self._part), "w", format="mp4", container_options=_FRAGMENTED)
        self._video = self._container.add_stream(
            "libx264",
            rate=Fraction(min(max(self._frame_rate, 0.001), 90_000)).limit_denominator(100_000),  # the last duration
            options=_X264,
            width=width + width % 2,
            height=height + height % 2,
            time_base=_TICK,
            colorspace=Colorspace.ITU709,
            color_range=ColorRange.MPEG,
            color_primaries=ColorPrimaries.BT709,
            color_trc=ColorTrc.BT709,
        )
        self._video.codec_context.sample_aspect_ratio = self._pixel_aspect
        return self._container

    def _to_frame(self, image: np.ndarray, time: float) -> av.VideoFrame:
        """Convert a picture to the video's size, colours and time base."""
        frame = self._reformatter.reformat(
            av.VideoFrame.from_numpy_buffer(_fit(image, self._size), format="bgr24"),  # read at once, not copied
            format="yuv420p",
            dst_colorspace=Colorspace.ITU709,
            src_color_range=ColorRange.JPEG,
            dst_color_range=ColorRange.MPEG,
        )
        frame.time_base = _TICK
        frame.pts = max(round(time / _TICK), self._last_pts + 1)
        self._last_pts = frame.pts
        if frame.pts >= self._next_key:  # by time, for a number of frames means nothing at a variable rate
            frame.pict_type = PictureType.I
            self._next_key = frame.pts + round(_KEY_INTERVAL / _TICK)
        return frame

    def _add_audio(self, packet: av.Packet | None, container: av.container.OutputContainer) -> None:
        """Convert a packet of the input and queue it; None queues what the codecs still hold."""
        if self._audio is None:
            return
        try:
            self._pending.extend(self._audio.convert(packet, container))
        except (av.FFmpegError, ValueError) as error:
            self._warn(error)

    def _mux(self, container: av.container.OutputContainer, last: bool = False) -> None:
        """Write the queued packets, once it is known whether there is sound."""
        if self._audio is not None and self._audio.output is None:
            if not last and self._last_pts * _TICK < _AUDIO_PATIENCE:
                return
            self._begin_without_sound(self._audio, container)
        container.start_encoding()
        for packet in self._ready(last):
            try:
                container.mux(packet)
            except av.FFmpegError as error:
                # Muxers refuse content with "invalid data" or a bare -1, which reads as EPERM.
                if isinstance(error, OSError) and error.errno != errno.EPERM:
                    raise
                self._warn(error)

    def _ready(self, last: bool) -> Iterator[av.Packet]:
        """Yield the queued packets, each picture with the time until the next one as its duration.

        Sound may end a fragment, in which the picture then has no other; without it the first picture after a pause
        would be shown when the pause begins.
        """
        while self._pending:
            packet = self._pending.popleft()
            if packet.stream_index != self._video.index:
                yield packet
                continue
            if self._newest is not None:
                self._newest.duration = (packet.dts or 0) - (self._newest.dts or 0)  # what encoders give always has one
                yield self._newest
            self._newest = packet
        if last and self._newest is not None:
            yield self._newest
            self._newest = None

    def _begin_without_sound(self, audio: AudioCopier, container: av.container.OutputContainer) -> None:
        """Let the header be written before any sound; what comes later is encoded into a stream that waits for it."""
        container.container_options["movflags"] = _HEADER_FIRST
        try:
            audio.add_output(container)
        except (av.FFmpegError, ValueError) as error:
            self._audio = None
            self._warn(error)

    def _finish(self) -> None:
        """Turn the part file into the final one."""
        if not is_at(self._part, self._file.fileno()):
            raise self._failure(OSError("it was moved or removed while it grew"))
        final = final_path(self._path)
        try:
            pictures = remux(self._part, final) if make_whole(self._part) else 0
            if pictures:
                final.replace(self._path)
            self._part.unlink()
        except (OSError, av.FFmpegError):
            # Most likely no room for a second copy; the fragmented file plays as well, it only seeks less well.
            pictures = self._keep_part()
        finally:
            final.unlink(missing_ok=True)
        # FFmpeg does not tell that the last fragment found no room, so what arrived is counted.
        if pictures < self._pictures and self._error is None:
            lost = f"{pictures} of {self._pictures} pictures reached the disk, is it full?"
            raise self._failure(OSError(errno.ENOSPC, lost)) from OSError(errno.ENOSPC, lost)

    def _keep_part(self) -> int:
        """Make the part file the final one unless it is empty; return the number of its pictures."""
        pictures = count_pictures(self._part)
        try:
            if pictures:
                self._part.replace(self._path)
            else:
                self._part.unlink()
        except OSError as error:
            kept = f"; the video is kept in {self._part}" if pictures and self._part.exists() else ""
            raise OutputError(f"{self._failure(error)}{kept}") from error
        return pictures

    def _failure(self, error: Exception) -> OutputError:
        reason = getattr(error, "strerror", None) or str(error)
        return OutputError(f"cannot write the video {self._path}: {reason}")

    def _warn(self, error: Exception) -> None:
        if not self._warned:
            _log.warning("%s: sound that cannot be kept is left out (%s)", self._path.name, error)
        self._warned = True


def _fit(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Letterbox a picture into a size, then make its sides even, as yuv420p demands (2x2 is x264's least).

    Args:
        image: [H, W, 3] uint8.
        size: height and width in pixels.

    Returns:
        [H', W', 3] uint8, contiguous; H' and W' are those of the size, or one more where they are odd.
    """
    height, width = size
    if image.shape[:2] != size:
        scale = min(height / image.shape[0], width / image.shape[1])
        inner = [max(1, round(side * scale)) for side in image.shape[:2]]
        image = cv2.resize(image, inner[::-1], interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
        top, left = (height - inner[0]) // 2, (width - inner[1]) // 2
        bottom, right = height - inner[0] - top, width - inner[1] - left
        image = cv2.copyMakeBorder(image, top, bottom, left, right, cv2.BORDER_CONSTANT)
    if height % 2 or width % 2:  # repeated, not black: a dark line at the edge would show
        image = cv2.copyMakeBorder(image, 0, height % 2, 0, width % 2, cv2.BORDER_REPLICATE)
    return np.ascontiguousarray(image)
