"""The parts of the report, each a piece of HTML made of the answers in a folder."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from functools import partial
from html import escape
from statistics import median
from typing import Any

import numpy as np

from ..measures.health import SMALL
from .charts import IN, OUT, count_bars, merged, scene_drawing
from .images import as_is, embedded
from .material import Material
from .words import Words

FEW_BARS, MANY_BARS, STEPS = 8, 40, (1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0)
MOST_PROOFS, MOST_PEOPLE, MOST_VISITS, MOST_SUSPECTS = 1500, 600, 400, 200


def heading(material: Material) -> str:
    """Return the title, the period, the totals and what may be wrong."""
    words, summary = material.words, material.summary
    length = words.length(summary["seconds"])
    if summary["start"]:
        ends = [_dated(summary["start"], seconds) for seconds in (0, summary["seconds"])]
        period = words("period", length=length, begin=ends[0], end=ends[1])
    else:
        period = words("length_only", length=length)
    cards = [_card(summary["people"], words("people"), words("people_note"))]
    for line in summary["lines"]:
        same = line["low"] == line["high"]
        note = "" if same else words("likely", low=line["low"], high=line["high"])
        cards.append(_card(line["count"], f"{line['line']}: {line['direction']}", note))
    warnings = [f'<p class="warning">{escape(words("warning", text=text))}</p>' for text in summary["warnings"]]
    title = words("title", name=summary["name"])
    return (
        f'<h1>{escape(title)}</h1><p class="soft">{escape(period)}</p>{"".join(warnings)}'
        f'<div class="cards">{"".join(cards)}</div>'
    )


def scene(material: Material) -> str:
    """Return the scene over its picture."""
    background = embedded(material.answers.folder / "background.jpg", 960)
    width, height = material.summary["size"]
    drawing = scene_drawing(material.scene, (width, height), background)
    return _part(material.words, "scene", f'{drawing}<p class="note">{_text(material, "scene_note")}</p>')


def counts(material: Material) -> str:
    """Return bars over time for every line."""
    words, rows = material.words, list(material.answers.counts(_interval(material.summary)))
    made = []
    for name, line in material.scene["lines"].items():
        bars = merged([row for row in rows if row.line == name])
        names = (line["in"], line["out"])
        keys = "".join(
            f'<span class="key" style="background:{color}"></span>{escape(text)}'
            for text, color in zip(names, (IN, OUT))
        )
        made.append(f'<div class="line"><h3>{escape(name)} <span class="soft">{keys}</span></h3>')
        if any(row.in_ or row.out for row in bars):
            interval = words.length(bars[0].end - bars[0].start)
            note = words("counts_note", interval=interval, in_name=names[0], out_name=names[1])
            drawn = count_bars(bars, names, partial(material.moment, tenths=False))
            made.append(f'{drawn}<p class="note">{escape(note)}</p></div>')
        else:
            made.append(f'<p class="note">{escape(words("nobody"))}</p></div>')
    return _part(words, "counts", "".join(made) or f'<p class="note">{escape(words("no_lines"))}</p>')


def zones(material: Material) -> str:
    """Return a table of the zones and one of the visits; nothing without zones."""
    words, names = material.words, material.scene["zones"]
    if not names:
        return ""
    intervals, visits = list(material.answers.zones()), list(material.answers.visits())
    head = ["zone", "visits_count", "mean_inside", "max_inside", "dwell_median", "dwell_longest"]
    queue = any(zone["queue"] for zone in names.values())
    rows = []
    for name in names:
        here = [row for row in intervals if row.zone == name]
        lengths = [visit.dwell for visit in visits if visit.zone == name]
        time = sum(row.end - row.start for row in here)
        inside = sum(row.mean_inside * (row.end - row.start) for row in here)
        row = [
            name,
            len(lengths),
            f"{inside / time if time else 0:.1f}",
            max((row.max_inside for row in here), default=0),
        ]
        row += [words.length(value) if lengths else "–" for value in _middle_and_longest(lengths)]
        if queue:
            served = sum(row.served or 0 for row in here)
            row.append(words.length(inside / served) if served else "–")
        rows.append(row)
    table = _table([words(key) for key in [*head, *(["wait"] if queue else [])]], rows)
    shown = visits[:MOST_VISITS]
    listed = [
        [
            visit.zone,
            material.who(visit.id),
            material.moment(visit.entered),
            material.moment(visit.left),
            words.length(visit.dwell),
            words("still_there") if visit.open else "",
        ]
        for visit in shown
    ]
    titles = [words(key) for key in ("zone", "id", "entered", "left", "dwell")]
    long = _table([*titles, ""], listed) + _some_of(words, len(shown), len(visits), "visits.csv")
    return _part(words, "zones", table) + _part(words, "visits", long)


def heat(material: Material) -> str:
    """Return the heat maps."""
    words, folder = material.words, material.answers.folder
    cell = material.answers.heat().cell
    figures = []
    for key, file in (("heat_time", "heat.png"), ("heat_people", "heat_people.png"), ("heat_flow", "heat_flow.png")):
        address = embedded(folder / file, 900)
        caption = escape(words(key, cell=cell))
        if address:
            figures.append(f'<figure><img alt="" src="{address}"/><figcaption>{caption}</figcaption></figure>')
    return _part(words, "heat", f'<div class="heat">{"".join(figures)}</div>')


def contact_sheet(material: Material) -> str:
    """Return the best picture of every person."""
    words = material.words
    people = [person for person in material.answers.people() if person.picture]
    figures = []
    for person in _spread(people, MOST_PEOPLE):
        address = embedded(material.answers.folder / str(person.picture), 160)
        seen = f"{material.moment(person.first_seen)} – {material.moment(person.last_seen)}"
        if address:
            caption = f"<figcaption><b>{escape(material.who(person.id))}</b> {escape(seen)}</figcaption>"
            figures.append(f'<figure><img alt="" src="{address}"/>{caption}</figure>')
    if not figures:
        return _part(words, "sheet", _missing(material)) if material.summary["people"] else ""
    note = _text(material, "sheet_note") + _some_of(words, len(figures), len(people), "people/")
    return _part(words, "sheet", f'<p class="note">{note}</p><div class="sheet">{"".join(figures)}</div>')


def suspects(material: Material) -> str:
    """Return where numbers may be wrong; nothing where nowhere."""
    words, found = material.words, list(material.answers.suspects())
    if not found:
        return ""
    rows = [
        [
            material.moment(one.seconds),
            words(f"suspect_{one.kind}", id=material.who(one.id), other=one.other),
            _Marked(f"<code>{escape(one.edit)}</code>"),
        ]
        for one in found[:MOST_SUSPECTS]
    ]
    note = _text(material, "suspects_note") + _some_of(words, len(rows), len(found), "suspects.csv")
    return _part(words, "suspects", f'<p class="note">{note}</p>{_table([], rows)}')


def proof_sheet(material: Material) -> str:
    """Return the crossings with their pictures and boxes to tick, and the precision that comes out."""
    words, folder = material.words, material.answers.folder / "crossings"
    crossings = list(enumerate(material.answers.crossings(), 1))
    if not crossings:
        return (
            _part(words, "proof", f'<p class="note">{escape(words("no_proof"))}</p>') if material.scene["lines"] else ""
        )
    chosen = [pair for pair in crossings if (folder / f"{pair[0]}.jpg").is_file()]
    if not chosen:
        return _part(words, "proof", _missing(material))
    chosen = list(_spread(chosen, MOST_PROOFS))
    figures = []
    for number, crossing in chosen:
        address = as_is((folder / f"{number}.jpg").read_bytes())
        certainty = words("certainty", percent=round(100 * crossing.certainty))
        who = material.who(crossing.id)
        told = (
            f"<b>{escape(crossing.line)}: {escape(crossing.direction)}</b> · "
            f"{escape(material.moment(crossing.seconds))} · {escape(words('id'))} {escape(who)} · {escape(certainty)}"
        )
        ticks = "".join(
            f'<label><input type="checkbox" autocomplete="off"/> {escape(words(key))}</label>'
            for key in ("right", "wrong")
        )
        figures.append(
            f'<figure id="c{number}" data-line="{escape(crossing.line)}"><img alt="" src="{address}"/>'
            f"<figcaption>{told}</figcaption>{ticks}</figure>"
        )
    lines = sorted({crossing.line for _, crossing in chosen})
    by_line = "".join(f'<div data-line="{escape(line)}">{escape(line)}: <span></span></div>' for line in lines)
    key = f"{material.summary['name']} {material.summary['start']} {len(crossings)} {crossings[-1][1].seconds}"
    none, some = words("precision_none"), words("precision_some")
    return _part(
        words,
        "proof",
        f'<p class="note">{_text(material, "proof_note")}'
        f"{_some_of(words, len(chosen), len(crossings), 'crossings.csv')}</p>"
        f'<div class="proof" id="proof" data-key="{escape(key)}" data-none="{escape(none)}" data-some="{escape(some)}">'
        f"{''.join(figures)}</div>"
        f'<button id="rest">{_text(material, "rest_right")}</button>'
        f'<button id="clear">{_text(material, "clear")}</button>'
        f'<div class="verdict">{_text(material, "precision")}<output id="precision">{escape(none)}</output>'
        f'{by_line if len(lines) > 1 else ""}<p class="note paper">{_text(material, "precision_print")}</p>'
        f'<p class="note">{_text(material, "precision_limit")}</p></div>',
    )


def health(material: Material) -> str:
    """Return what the video makes hard."""
    words, told, light = material.words, material.summary["health"], material.light
    boxes = max(told["boxes"], 1)
    rows = []
    for key, count, bad in (("small", told["small"], 0.2), ("cut", told["cut_off"], 0.2)):
        share = count / boxes
        rows.append([words(f"health_{key}", pixels=SMALL), f"{100 * share:.1f} %", *_verdict(words, key, share > bad)])
    if light.get("boxes"):
        share = light["dark"] / light["boxes"]
        rows.append([words("health_dark"), f"{100 * share:.1f} %", *_verdict(words, "dark", share > 0.2)])
    else:
        rows.append([words("health_dark"), "–", words("health_dark_unknown")])
    rate = told["switches"] / max(material.summary["seconds"] / 60, 1 / 60)
    value = words("health_switches_value", count=told["switches"], rate=f"{rate:.1f}")
    bad = told["switches"] > 0.2 * max(material.summary["people"], 1)
    rows.append([words("health_switches"), value, *_verdict(words, "switches", bad)])
    return _part(words, "health", _table([], rows))


def settings(material: Material) -> str:
    """Return what made the result."""
    words = material.words
    if not material.run:
        text = words("no_run", file=f"{material.summary['name']}_run.json")
        return _part(words, "settings", f'<p class="note">{escape(text)}</p>')
    # how long a run took is not of its result, which is the same to the byte each time
    rows = [[name, _told(value)] for name, value in material.run.items() if name != "stage_seconds"]
    table = _table([], rows).replace("<table", '<table class="settings"', 1)
    return _part(words, "settings", table)


PARTS: tuple[Callable[[Material], str], ...] = (
    heading,
    scene,
    counts,
    zones,
    heat,
    contact_sheet,
    suspects,
    proof_sheet,
    health,
    settings,
)


def _part(words: Words, key: str, content: str) -> str:
    return f'<section id="{key}-part"><h2>{escape(words(key))}</h2>{content}</section>'


def _text(material: Material, key: str) -> str:
    return escape(material.words(key))


def _card(value: object, text: str, note: str) -> str:
    small = f"<small>{escape(note)}</small>" if note else ""
    return f'<div class="card"><b>{value}</b>{escape(text)}{small}</div>'


def _missing(material: Material) -> str:
    text = escape(material.words("no_pictures", command="\0"))
    return f'<p class="warning">{text}</p>'.replace("\0", f"<code>{escape(material.command)}</code>")


def _some_of(words: Words, shown: int, total: int, file: str) -> str:
    return f" {escape(words('some_of', shown=shown, all=total, file=file))}" if shown < total else ""


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    titles = f"<tr>{''.join(f'<th>{escape(text)}</th>' for text in head)}</tr>" if head else ""
    lines = ("".join(f"<td>{_cell(value)}</td>" for value in row) for row in rows)
    return f'<div class="wide"><table>{titles}{"".join(f"<tr>{line}</tr>" for line in lines)}</table></div>'


class _Marked(str):
    """Text that is HTML already."""


def _cell(value: object) -> str:
    return value if isinstance(value, _Marked) else escape(str(value))


def _verdict(words: Words, key: str, is_bad: bool) -> list[str]:
    kind, text = ("bad", words(f"health_{key}_hint")) if is_bad else ("fine", words("good"))
    return [_Marked(f'<span class="{kind}">{escape(text)}</span>')]


def _middle_and_longest(lengths: list[float]) -> tuple[float, float]:
    return (median(lengths), max(lengths)) if lengths else (0.0, 0.0)


def _dated(start: str, seconds: float) -> str:
    return (datetime.fromisoformat(start) + timedelta(seconds=seconds)).strftime("%Y-%m-%d %H:%M:%S")


def _spread(rows: Sequence[Any], most: int) -> Iterable[Any]:
    """Return at most so many of the rows, evenly spread."""
    if len(rows) <= most:
        return rows
    return [rows[at] for at in np.linspace(0, len(rows) - 1, most).round().astype(int)]


def _told(value: Any) -> str:
    """Return a setting as text; the scene is drawn elsewhere."""
    if isinstance(value, dict):
        return ", ".join(f"{name} {_told(part)}" for name, part in value.items() if name != "scene")
    if isinstance(value, list):
        return " x ".join(map(_told, value))
    return f"{value:.5g}" if isinstance(value, float) else str(value)


def _interval(summary: dict[str, Any]) -> float:
    """Return the interval of the bars: that of the tables, or a shorter one where these would be a few bars only."""
    if summary["seconds"] >= FEW_BARS * summary["interval"]:
        return summary["interval"]
    return next((step for step in STEPS if summary["seconds"] / step <= MANY_BARS), summary["interval"])
