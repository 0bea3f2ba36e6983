"""The figures of a page in the text format of Prometheus."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .site import Site

Sample = tuple[dict[str, str], float]


def metrics_text(site: Site) -> str:
    """Return the figures of all cameras and videos."""
    lines = []
    for name, kind, about, samples in _families(site):
        lines += [f"# HELP {name} {about}", f"# TYPE {name} {kind}"]
        for labels, value in samples:
            words = ",".join(f'{label}="{_escaped(text)}"' for label, text in labels.items())
            lines.append(f"{name}{{{words}}} {value:.12g}" if words else f"{name} {value:.12g}")
    return "\n".join(lines) + "\n"


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


def _families(site: Site) -> Iterator[tuple[str, str, str, list[Sample]]]:
    all_of = [sink.status() for sink in site.live.values()]

    def each(key: str) -> list[Sample]:
        return [({"camera": one["name"]}, float(one[key])) for one in all_of if one[key] is not None]

    yield (
        "tracker_up",
        "gauge",
        "1 while a camera gives frames.",
        [({"camera": one["name"]}, float(one["state"] == "running")) for one in all_of],
    )
    yield "tracker_frames_total", "counter", "Frames tracked.", each("frames")
    yield "tracker_dropped_frames_total", "counter", "Frames left out.", each("dropped")
    yield "tracker_frame_rate", "gauge", "Frames tracked per second.", each("frame_rate")
    yield "tracker_lag_seconds", "gauge", "Delay of the newest frame.", each("lag")
    yield "tracker_people", "gauge", "People in sight.", each("people")
    yield "tracker_people_seen_total", "counter", "Different people so far.", each("people_seen")
    yield "tracker_crossings_total", "counter", "Crossings of a line.", list(_crossings(all_of))
    yield (
        "tracker_zone_people",
        "gauge",
        "People inside a zone.",
        [({"camera": one["name"], "zone": zone["zone"]}, zone["inside"]) for one in all_of for zone in one["zones"]],
    )
    if site.videos:
        yield (
            "tracker_videos",
            "gauge",
            "Uploaded videos by state.",
            [({"state": state}, count) for state, count in site.videos.store.counts().items()],
        )


def _crossings(all_of: list[dict[str, Any]]) -> Iterator[Sample]:
    for one in all_of:
        for line in one["lines"]:
            for way in line["directions"]:
                labels = {"camera": one["name"], "line": line["line"], "direction": way["direction"]}
                yield labels, way["count"]
