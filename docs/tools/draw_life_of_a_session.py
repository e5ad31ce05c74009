"""Draw the life of a session's ticket, from the tables that the code runs on.

``python docs/tools/draw_life_of_a_session.py`` writes the diagram and the table into
``docs/explanation/life-of-a-session.md``, between the marks; a test checks that they are up to date.
"""

from __future__ import annotations

import sys
from pathlib import Path

from websession_core.lifecycle import CONSEQUENCES, RULES, NewSession, Standing, transitions

PAGE = Path(__file__).parents[1] / "explanation" / "life-of-a-session.md"


def diagram() -> str:
    """Return the standings of a ticket and how it comes from one to another, for Mermaid."""
    lines = ["```mermaid", "stateDiagram-v2"]
    lines += [f"    {standing.name} : {standing.value}" for standing in Standing]
    lines.append(f"    [*] --> {Standing.CURRENT.name} : session begins")
    together: dict[tuple[str, str], list[str]] = {}
    for transition in transitions():
        together.setdefault((transition.source.name, transition.target.name), []).append(transition.event)
    lines += [
        f"    {source} --> {target} : {', '.join(events)}" for (source, target), events in together.items()
    ]
    return "\n".join([*lines, "```"])


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
        duty = f"{consequence.duty.value} it" if consequence.duty else "note nothing down"
        rows.append(f"| {rule.meaning} | {rule.standing.value} | {runs} | {duty} |")
    return "\n".join(rows)


def drawn(page: str) -> str:
    """Return the page with the diagram and the table of now between their marks."""
    for name, content in (("diagram", diagram()), ("table", table())):
        begin, end = f"<!-- begin {name} -->", f"<!-- end {name} -->"
        before, _, rest = page.partition(begin)
        page = f"{before}{begin}\n{content}\n{end}{rest.partition(end)[2]}"
    return page


if __name__ == "__main__":
    text = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(drawn(text), encoding="utf-8")
    sys.stdout.write(f"{PAGE.name} is up to date\n")
