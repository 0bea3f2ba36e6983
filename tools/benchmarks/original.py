"""The way of the original module, version 1.0.0, as a reference for speed.

It is rebuilt from PaddleDetection's own parts: the network in dynamic mode, frames that go through PNG files, its
transforms, decoding, `JDETracker` and drawing, annotated frames that go through JPG files, and the text written at the
end. It is faster than the original in three points: each frame is tracked once, not twice; the model is loaded once,
not at each call; and the video is encoded in this process, with the settings of the ffmpeg command.
"""

from __future__ import annotations

import contextlib
import io
import tempfile
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np

from tracker.models.locate import FULL_CONFIG
from tracker.models.pdparams import load_pdparams

ENCODED_RATE = 25  # frames per second of every video, the default of `ffmpeg -f image2`


class OriginalTracker:
    """Tracker of videos as the original module does it.

    Args:
        weights: .pdparams file of the full network.
        threads: processor threads.

    Raises:
        ModelError: the file is damaged.
    """

    def __init__(self, weights: Path, threads: int) -> None:
        import paddle
        from ppdet.data.transform.mot_operators import LetterBoxResize
        from ppdet.data.transform.operators import Decode, NormalizeImage, Permute

        from tracker.models.networks import darknet53

        paddle.disable_static()
        paddle.base.core.set_num_threads(threads)
        self._paddle = paddle
        self._model, settings = darknet53.build(FULL_CONFIG)
        self._model.set_state_dict(load_pdparams(weights))
        makers = {
            "Decode": Decode,
            "LetterBoxResize": LetterBoxResize,
            "NormalizeImage": NormalizeImage,
            "Permute": Permute,
        }
        self._transforms = [
            makers[name](**arguments)
            for step in settings["TestReader"]["sample_transforms"]
            for name, arguments in step.items()
        ]
        self._tracker_settings = settings["JDETracker"]

    def mot_predict(self, video: Path, folder: Path) -> int:
        """Track a video file.

        Args:
            video: file that OpenCV reads.
            folder: gets ``mot_results/NAME.txt`` and ``mot_outputs/NAME_vis.mp4``.

        Returns:
            Number of frames.
        """
        from ppdet.modeling.mot.tracker import JDETracker
        from ppdet.modeling.mot.utils import write_mot_results

        tracker = JDETracker(**self._tracker_settings)
        tracker.max_time_lost = tracker.track_buffer  # at 30 frames per second, which the original assumes
        results: list[tuple[int, list, list, list]] = []
        for part in ("mot_results", "mot_outputs"):
            (folder / part).mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory() as images:
            capture = cv2.VideoCapture(str(video))
            while True:
                arrived, image = capture.read()
                if not arrived:
                    break
                number = len(results)
                png = Path(images) / f"{number:05d}.png"
                cv2.imwrite(str(png), image)
                results.append((number + 1, *self._step(png, tracker)))
                self._draw(image, *results[-1]).tofile(Path(images) / f"{number:05d}.jpg")
            capture.release()
            with contextlib.redirect_stdout(io.StringIO()):  # it prints where the text is
                write_mot_results(str(folder / "mot_results" / f"{video.stem}.txt"), {0: results})
            _encode(sorted(Path(images).glob("*.jpg")), folder / "mot_outputs" / f"{video.stem}_vis.mp4")
        return len(results)

    def _step(self, png: Path, tracker: Any) -> tuple[list, list, list]:
        """Return boxes (left, top, width, height), scores and identities of the people in an image file."""
        sample = {"im_file": str(png)}
        for transform in self._transforms:
            sample = transform(sample)
        inputs = {
            name: self._paddle.to_tensor(np.asarray(sample[name], np.float32)[None])
            for name in ("image", "im_shape", "scale_factor")
        }
        with self._paddle.no_grad():
            boxes, embeddings = self._model(inputs)
        tlwhs, scores, identities = [], [], []
        for track in tracker.update(boxes.numpy(), embeddings.numpy())[0]:
            _, _, width, height = track.tlwh
            too_wide = tracker.vertical_ratio > 0 and width / height > tracker.vertical_ratio
            if width * height > tracker.min_box_area and not too_wide:
                tlwhs.append(track.tlwh)
                scores.append(track.score)
                identities.append(track.track_id)
        return tlwhs, scores, identities

    @staticmethod
    def _draw(image: np.ndarray, number: int, tlwhs: list, scores: list, identities: list) -> np.ndarray:
        """Return the annotated frame as the bytes of a JPG file."""
        from ppdet.modeling.mot.visualization import plot_tracking_dict

        picture = plot_tracking_dict(image, 1, {0: tlwhs}, {0: identities}, {0: scores}, frame_id=number)
        return cv2.imencode(".jpg", picture)[1]


def _encode(images: list[Path], target: Path) -> None:
    """Do what ``ffmpeg -f image2 -i %05d.jpg TARGET`` does."""
    with av.open(str(target), "w") as container:
        video = container.add_stream("libx264", rate=ENCODED_RATE)
        for path in images:
            with av.open(str(path)) as picture:
                (frame,) = picture.decode(video=0)
            if not video.codec_context.is_open:
                # the encoder refuses odd sides
                video.width, video.height = frame.width - frame.width % 2, frame.height - frame.height % 2
                video.pix_fmt = "yuvj420p"  # that of the JPG files
            frame = frame.reformat(video.width, video.height, "yuvj420p")
            frame.pts = None
            container.mux(video.encode(frame))
        if images:
            container.mux(video.encode())
