"""Videos with tracks for labelling tools: keyframes that a person can move, and gaps that are gaps."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from xml.sax.saxutils import escape

from .recording import LABEL, Recording, Segment


def write_cvat(recording: Recording, folder: Path) -> tuple[Path, int]:
    """Write "CVAT for video 1.1" XML. Frames count from 0; whoever is out of sight is ``outside``.

    Returns:
        The file, and the number of keyframes.
    """
    path = folder / f"{recording.name}_cvat.xml"
    keyframes = 0
    width, height = recording.size
    with path.open("w", encoding="utf-8") as file:
        file.write(
            '<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n  <version>1.1</version>\n  <meta>\n    <task>\n'
            f"      <name>{escape(recording.name)}</name>\n      <size>{recording.last}</size>\n"
            "      <mode>interpolation</mode>\n      <overlap>0</overlap>\n      <start_frame>0</start_frame>\n"
            f"      <stop_frame>{recording.last - 1}</stop_frame>\n      <labels>\n        <label>\n"
            f"          <name>{LABEL}</name>\n          <type>rectangle</type>\n          <attributes></attributes>\n"
            "        </label>\n      </labels>\n      <original_size>\n"
            f"        <width>{width}</width>\n        <height>{height}</height>\n      </original_size>\n"
            "    </task>\n  </meta>\n"
        )
        for identity, segments in recording.tracks():
            boxes = [*_cvat_boxes(segments, recording)]
            keyframes += len(boxes)
            file.write(f'  <track id="{identity}" label="{LABEL}" source="auto">\n')
            file.write("".join(boxes))
            file.write("  </track>\n")
        file.write("</annotations>\n")
    return path, keyframes


def _cvat_boxes(segments: list[Segment], recording: Recording) -> Iterator[str]:
    for segment in segments:
        ends = []
        if segment.frames[-1] < recording.last:  # else CVAT would show the last box to the end of the video
            ends = [(segment.frames[-1] + 1, segment.boxes[-1], 1)]
        shown = [(frame, box, 0) for frame, box in zip(segment.frames, segment.boxes)]
        for frame, (left, top, right, bottom), outside in [*shown, *ends]:
            yield (
                f'    <box frame="{frame - 1}" outside="{outside}" occluded="0" keyframe="1" xtl="{left:.2f}" '
                f'ytl="{top:.2f}" xbr="{right:.2f}" ybr="{bottom:.2f}" z_order="0"></box>\n'
            )


def write_label_studio(recording: Recording, folder: Path) -> tuple[Path, int]:
    """Write a task of Label Studio with ``videorectangle`` regions as predictions.

    Frames count from 1, boxes are in percent, and a keyframe that is not ``enabled`` is the last one before a gap. The
    labelling interface needs ``<Video name="video" value="$video"/>``, ``<VideoRectangle name="box" toName="video"/>``
    and ``<Labels name="labels" toName="video">``; ``data.video`` is to be changed to where the tool finds the video.

    Returns:
        The file, and the number of keyframes.
    """
    path = folder / f"{recording.name}_labelstudio.json"
    regions = []
    keyframes = 0
    duration = recording.last / recording.frame_rate
    for identity, segments in recording.tracks():
        sequence = [entry for segment in segments for entry in _sequence(segment, recording)]
        keyframes += len(sequence)
        value = {
            "framesCount": recording.last,
            "duration": round(duration, 3),
            "sequence": sequence,
            "labels": [LABEL],
        }
        regions.append(
            {
                "id": f"track_{identity}",
                "type": "videorectangle",
                "origin": "prediction",
                "from_name": "box",
                "to_name": "video",
                "value": value,
                "meta": {"text": [str(identity)]},
            }
        )
    prediction = {"model_version": "jde_darknet53_30e_1088x608", "result": regions}
    task = {"data": {"video": f"{recording.name}.mp4"}, "predictions": [prediction]}
    path.write_text(json.dumps([task]) + "\n", encoding="utf-8")
    return path, keyframes


def _sequence(segment: Segment, recording: Recording) -> Iterator[dict[str, float | bool | int]]:
    width, height = recording.size
    for frame, (left, top, right, bottom) in zip(segment.frames.tolist(), segment.boxes.tolist()):
        yield {
            "frame": frame,
            "enabled": frame < int(segment.frames[-1]),
            "rotation": 0,
            "x": round(100 * left / width, 4),
            "y": round(100 * top / height, 4),
            "width": round(100 * (right - left) / width, 4),
            "height": round(100 * (bottom - top) / height, 4),
            "time": round(frame / recording.frame_rate, 4),
        }
