"""A page of small pictures in one file, which opens from a mail: no script, nothing from elsewhere."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from ...errors import OutputError

_STYLE = (
    "body{font:14px sans-serif;margin:2em}section{border-top:1px solid #ccc;padding:.6em 0}"
    "figure{display:inline-block;margin:0 1em .6em 0;vertical-align:top}"
    "img,.none{height:160px;min-width:60px;background:#ddd;display:block}figcaption{font-size:12px}"
)


@dataclass(frozen=True)
class Card:
    """A picture with lines under it.

    Attributes:
        picture: JPEG file; None for none.
        lines: texts.
    """

    picture: Path | None
    lines: Sequence[str]


def write_sheet(title: str, note: str, groups: Mapping[str, Sequence[Card]]) -> str:
    """Return a page of groups of pictures.

    Args:
        title: heading of the page.
        note: a sentence below it.
        groups: cards by the heading of their group.

    Raises:
        OutputError: a picture cannot be read.
    """
    parts = []
    for heading, cards in groups.items():
        parts.append(f"<section><h2>{escape(heading)}</h2>{''.join(map(_figure, cards))}</section>")
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; img-src data:; style-src '
        f"'unsafe-inline'\"><title>{escape(title)}</title><style>{_STYLE}</style></head>\n"
        f"<body><h1>{escape(title)}</h1><p>{escape(note)}</p>\n" + "\n".join(parts) + "\n</body></html>\n"
    )


def _figure(card: Card) -> str:
    image = '<div class="none"></div>'
    if card.picture is not None:
        try:
            data = base64.b64encode(card.picture.read_bytes()).decode()
        except OSError as error:
            raise OutputError(f"cannot read the picture {card.picture}: {error.strerror}") from error
        image = f'<img alt="" src="data:image/jpeg;base64,{data}">'
    return f"<figure>{image}<figcaption>{'<br>'.join(map(escape, card.lines))}</figcaption></figure>"
