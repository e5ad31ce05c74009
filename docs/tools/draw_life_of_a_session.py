"""Draw the life of a session's ticket, from the tables that the code runs on.

``python docs/tools/draw_life_of_a_session.py`` writes ``docs/explanation/life-of-a-session.svg`` and, between
the marks of ``life-of-a-session.md``, the table and the diagram in words; a test checks that they are up to
date.
"""

from __future__ import annotations

import sys
from html import escape
from pathlib import Path

from websession_core.lifecycle import CONSEQUENCES, RULES, NewSession, Standing, transitions

PAGE = Path(__file__).parents[1] / "explanation" / "life-of-a-session.md"
PICTURE = PAGE.with_suffix(".svg")

S = Standing
OPENING = tuple(standing for standing in Standing if CONSEQUENCES[standing].opens)

# Where each standing is in the picture: its left edge and width, and the middle of its line.
LEFT, MIDDLE, RIGHT = (100, 190), (500, 270), (900, 150)
PLACES = {
    S.ACKNOWLEDGEMENT: (LEFT, 150),
    S.CURRENT: (LEFT, 260),
    S.IN_FLIGHT: (LEFT, 370),
    S.UNSTORED: (LEFT, 780),
    S.UNREADABLE: (MIDDLE, 70),
    S.STALE_READ: (MIDDLE, 125),
    S.OUTLIVED: (MIDDLE, 180),
    S.MISMATCHED: (MIDDLE, 235),
    S.REFUSED: (MIDDLE, 290),
    S.SUPERSEDED: (MIDDLE, 345),
    S.UNACKNOWLEDGED: (MIDDLE, 445),
    S.EXPIRED_IDLE: (MIDDLE, 500),
    S.EXPIRED_ABSOLUTE: (MIDDLE, 555),
    S.EXPIRED_DEADLINE: (MIDDLE, 610),
    S.OWNERLESS: (MIDDLE, 665),
    S.REPLAYED: (RIGHT, 345),
    S.UNKNOWN: (RIGHT, 720),
}
BOX = (80, 20, 230, 720)  # around the standings that open the session: left, top, width, height
WIDTH, HEIGHT = 1070, 815

# By which height an arrow passes what is between its ends.
LANES = {S.IN_FLIGHT: 395, S.ACKNOWLEDGEMENT: 30}


def arrows() -> dict[tuple[tuple[Standing, ...], Standing], list[str]]:
    """Return the events that lead from standings to another one; what all that open share is one arrow."""
    single: dict[tuple[Standing, Standing], list[str]] = {}
    for transition in transitions():
        single.setdefault((transition.source, transition.target), []).append(transition.event)
    together: dict[tuple[tuple[Standing, ...], Standing], list[str]] = {}
    for (source, target), events in single.items():
        shared = source in OPENING and all(single.get((one, target)) == events for one in OPENING)
        together[OPENING if shared else (source,), target] = events
    return together


def in_words() -> str:
    """Return a line for each arrow."""
    names = {OPENING: "any of the three that open the session"}
    return "\n".join(
        f"- {names.get(sources, sources[0].value)} → {target.value}: {', '.join(events)}"
        for (sources, target), events in arrows().items()
    )


def table() -> str:
    """Return the rules in their order, and what follows from each, as a table."""
    rows = ["| the first that holds | the ticket is | so the request | and we |", "|---|---|---|---|"]
    for rule in RULES:
        consequence = CONSEQUENCES[rule.standing]
        if consequence.opens:
            runs = "runs with the session"
        elif consequence.instead is NewSession.LOGIN:
            runs = "runs without a session; only a login starts a new one"
        else:
            runs = "runs with a new, empty session"
        if consequence.instead_of_a_users is NewSession.LOGIN:
            runs += "; after a user's ticket without one, and only a login starts it"
        duty = f"{consequence.duty.value} it" if consequence.duty else "record nothing"
        rows.append(f"| {rule.meaning} | {rule.standing.value} | {runs} | {duty} |")
    return "\n".join(rows)


def drawn(page: str) -> str:
    """Return the page with the table and the diagram's words of now between their marks."""
    for name, content in (("words", in_words()), ("table", table())):
        begin, end = f"<!-- begin {name} -->", f"<!-- end {name} -->"
        before, _, rest = page.partition(begin)
        page = f"{before}{begin}\n{content}\n{end}{rest.partition(end)[2]}"
    return page


def picture() -> str:
    """Return the diagram as SVG. It has a ground of its own, for light pages and dark ones."""
    parts = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}"'
            f' height="{HEIGHT}" font-family="system-ui, sans-serif" font-size="13">'
        ),
        "<title>The life of a session's ticket</title>",
        (
            '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8"'
            ' orient="auto"><path d="M0 0 8 4 0 8z" fill="#555"/></marker></defs>'
        ),
        f'<rect width="{WIDTH}" height="{HEIGHT}" rx="8" fill="#fff"/>',
        _rectangle(*BOX, fill="#eef7ee", line="#7a7"),
        _text(BOX[0] + BOX[2] / 2, BOX[1] + 20, "These open the session", weight="bold"),
        '<circle cx="22" cy="260" r="6" fill="#333"/>',
        f'<path d="M22 260 {LEFT[0]} 260" stroke="#555" marker-end="url(#tip)"/>',
        _text(45, 252, "begins", colour="#333"),
    ]
    labels = []
    for (sources, target), events in arrows().items():
        path, (x, y) = _arrow(sources, target)
        parts.append(f'<path d="{path}" fill="none" stroke="#555" marker-end="url(#tip)"/>')
        words = ", ".join(events)
        labels.append(_text(x, y - 5, words, colour="#333", halo=True))
    for standing, ((left, width), y) in PLACES.items():
        ends = CONSEQUENCES[standing].duty is not None and not CONSEQUENCES[standing].opens
        fill = "#d3ecd3" if standing in OPENING else "#fbe3df" if ends else "#eceff4"
        labels.append(_rectangle(left, y - 17, width, 34, fill=fill, line="#667"))
        labels.extend(_lines(left + width / 2, y, standing.value, width))
    return "\n".join([*parts, *labels, "</svg>", ""])


def _arrow(sources: tuple[Standing, ...], target: Standing) -> tuple[str, tuple[float, float]]:
    """Return an arrow's path, and where the middle of its label is."""
    (left, width), y = PLACES[target]
    if sources == OPENING:
        return f"M{BOX[0] + BOX[2]} {y} {left} {y}", ((BOX[0] + BOX[2] + MIDDLE[0]) / 2, y)
    (source,) = sources
    (x, wide), begin = PLACES[source]
    if x == left:
        middle, way = left + width / 2, 17 if begin < y else -17
        return f"M{middle} {begin + way} {middle} {y - way}", (middle, (begin + y) / 2 + 9)
    if x > left:
        path = f"M{x} {begin + 9} C{x - 140} {begin + 9} {left + width + 120} {y} {left + width} {y}"
        return path, (x - 75, begin + 25)
    if (lane := LANES.get(source)) is not None and target is S.REPLAYED:
        middle, way = left + width / 2, 17 if lane > y else -17
        start = x + wide
        path = f"M{start} {begin} C{start + 60} {begin} {start + 40} {lane} {start + 150} {lane}"
        path += f" L{middle - 60} {lane} Q{middle} {lane} {middle} {y + way}"
        return path, (MIDDLE[0] + MIDDLE[1] / 2, lane)
    start = x + wide
    if source is S.CURRENT:
        return f"M{start} {begin} C{start + 130} {begin} {left - 130} {y} {left} {y}", (left - 95, y)
    if y == begin:
        return f"M{start} {y} {left} {y}", ((start + left) / 2, y)
    return f"M{start} {begin} C{start + 80} {begin} {left - 60} {y} {left} {y}", (start + 40, begin)


def _rectangle(x: float, y: float, width: float, height: float, *, fill: str, line: str = "none") -> str:
    place = f'x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}"'
    return f'<rect {place} rx="6" fill="{fill}" stroke="{line}"/>'


def _text(
    x: float, y: float, words: str, *, weight: str = "normal", colour: str = "#111", halo: bool = False
) -> str:
    ground = ' stroke="#fff" stroke-width="4" paint-order="stroke"' if halo else ""
    return (
        f'<text x="{x:g}" y="{y:g}" text-anchor="middle" fill="{colour}" font-weight="{weight}"{ground}>'
        f"{escape(words)}</text>"
    )


def _lines(x: float, y: float, words: str, width: float) -> list[str]:
    """Return the text of a standing, in two lines if it is long."""
    if len(words) * 6.6 < width - 8:
        return [_text(x, y + 4, words)]
    cut = words.rindex(" ", 0, len(words) // 2 + 6)
    return [_text(x, y - 3, words[:cut]), _text(x, y + 12, words[cut + 1 :])]


if __name__ == "__main__":
    text = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(drawn(text), encoding="utf-8")
    PICTURE.write_text(picture(), encoding="utf-8")
    sys.stdout.write(f"{PAGE.name} is up to date\n")
