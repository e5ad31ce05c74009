"""The plot of the peers, as SVG."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import matplotlib as mpl
import page
import results
from matplotlib.figure import Figure

if TYPE_CHECKING:
    from pathlib import Path

PLOT: Final = page.PAGE.with_suffix(".svg")
KINDS: Final = ("read", "write", "new")
OURS: Final = "#c04000"
OTHERS: Final = "#8093a8"


def draw(figures: dict[str, Any], path: Path = PLOT) -> None:
    """Draw the median of each contender in the `peers`, with its quartiles, relative to the floor."""
    # The same figures make the same file: no random names and no date in it. Text stays text.
    mpl.rcParams.update({"svg.hashsalt": "peers", "svg.fonttype": "none", "font.size": 8})
    engines = figures["engines"]
    figure = Figure(figsize=(10, 3.2 * len(engines)), layout="constrained")
    axes = figure.subplots(len(engines), len(KINDS), squeeze=False, sharey=True)
    for row, (engine, contenders) in zip(axes, engines.items(), strict=True):
        bars = {
            name: contender
            for name, contender in contenders.items()
            if name not in {"floor", "again"} and contender["ratios"].keys() >= set(KINDS)
        }
        names = [contender["title"].replace("*", "").replace("`", "") for contender in bars.values()]
        for axis, kind in zip(row, KINDS, strict=True):
            spreads = [contender["ratios"][kind] for contender in bars.values()]
            medians = [spread["median"] for spread in spreads]
            whiskers = [
                [spread["median"] - spread["low"] for spread in spreads],
                [spread["high"] - spread["median"] for spread in spreads],
            ]
            colours = [OURS if name in {"minimal", "full"} else OTHERS for name in bars]
            axis.barh(names, medians, xerr=whiskers, color=colours, error_kw={"elinewidth": 0.8})
            axis.axvline(1, color="black", linewidth=0.8)
            axis.set_title(f"{page.ENGINES[engine]}: {kind}")
            axis.spines[["top", "right"]].set_visible(False)
    # The axes share it, so once is enough: the first contender comes first.
    axes[0][0].invert_yaxis()
    figure.supxlabel("time relative to the floor (1: one ORM get, change, or add); less is faster")
    figure.savefig(path, metadata={"Date": None})


if __name__ == "__main__":
    draw(results.load("peers"))
