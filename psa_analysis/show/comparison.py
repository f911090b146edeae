"""What this report says otherwise than the one before."""

from typing import Any

import pandas as pd

from psa_analysis.analysis import comparison
from psa_analysis.analysis.comparison import Pack
from psa_analysis.report import Report, memoised
from psa_analysis.show.grant import expected_text, grants
from psa_analysis.show.tables import Column, Html, rows_table, sentence
from psa_analysis.show.views import View, no_view
from psa_analysis.words import CHANCE_MOVED, chance_text, counted, figure_text, listed, range_text


def changes(report: Report) -> View:
    """What has changed since the quarter before, and why."""
    if report.before is None:
        return no_view(changes_words(report).text)
    return View(
        words=lambda: changes_words(report),
        table=lambda: changes_table(report),
        data=changes_between(report.before, report),
    )


@memoised
def changes_between(earlier: Report, later: Report) -> pd.DataFrame:
    """What the later of two reports says differently, and why."""
    return comparison.changes(pack_of(earlier), pack_of(later))


def pack_of(report: Report) -> Pack:
    """What the pack of a report says."""
    return Pack(
        report.period,
        report.assessment,
        report.agreement.settings.agreement.area,
        report.readings[["measure", "area", "period", "period_end", "observed", "flag"]],
        grants(report)[["measure", "pot_share", "least", "most"]],
        report.commitments[["commitment", "promise", "state", "reason"]],
    )


def changes_table(report: Report) -> Html:
    """Measure by measure, what has changed since the quarter before, and why."""
    assert report.before is not None
    rows = changes_between(report.before, report)
    rows = rows[rows["what"].isin(["state", "reading", "chance"])]
    # A chance that was or is missing has moved too.
    chances = rows[["before", "after"]].where(rows["what"] == "chance").astype(float)
    small = (chances["after"] - chances["before"]).abs() < CHANCE_MOVED
    rows = rows[~small]
    table = report.assessment.set_index("measure", drop=False)
    before = report.before.assessment.set_index("measure").add_suffix("_before")
    readings = rows[rows["what"] == "reading"].set_index("measure")
    table = table.join(before).assign(why=rows.groupby("measure")["why"].first())
    table = table.assign(direction=readings["direction"])[table.index.isin(rows["measure"])]
    columns = [
        Column("Measure"),
        Column("What is measured", "title"),
        Column("State before", "state_before"),
        Column("State now", "state"),
        Column.figure("Reading before", "latest_before"),
        Column.figure("Reading now", "latest"),
        Column.chance("Chance before", "chance_target_before"),
        Column.chance("Chance now", "chance_target"),
        Column("The reading is", "direction"),
        Column("Why"),
    ]
    return rows_table(table, columns, f"What has changed since {report.before.period}", folded=True)


def changes_words(report: Report) -> Html:
    """What has changed since the quarter before, in a few sentences."""
    if (before := report.before) is None:
        return sentence(f"There is no report before {report.period} to compare with.")
    rows = changes_between(before, report)
    rows = rows[rows["area"].isin(["", report.agreement.settings.agreement.area])]
    states = rows[rows["what"] == "state"]
    readings = rows[(rows["what"] == "reading") & (rows["period_before"] != rows["period_after"])]
    revised = rows[(rows["what"] == "figure") & rows["before"].notna() & rows["after"].notna()]
    count = counted(len(states), "measure") if len(states) else "no measure"
    text = f"Since {before.period}, {count} changed state."
    for (was, now), group in states.groupby(["before", "after"], sort=False):
        titles = [report.rows[measure]["title"] for measure in group["measure"]]
        text += f" From {was} to {now}: {'; '.join(titles) if len(group) < 4 else len(group)}."
    text += f" New readings: {len(readings)}"
    ways = readings["direction"].value_counts()
    kinds = ("better", "worse", "same", "higher", "lower")
    parts = [f"{ways[way]} {way}" for way in kinds if way in ways]
    text += f" ({listed(parts)})." if parts else "."
    text += f" Earlier figures revised: {len(revised)}."
    if grants(report).empty:
        return sentence(text)
    now, was = expected_text(grants(report)), expected_text(grants(before))
    return sentence(f"{text} The expected reward is {now}. Before, it was {was}.")


def change_text(value: Any, what: str, unit: str) -> str:
    """What stood or stands there, of a row of :func:`changes`."""
    if isinstance(value, str):
        return value
    if what == "chance":
        return chance_text(value)
    if unit == "share of the pot":
        return range_text(value, value, 2)
    return figure_text(value, unit) if unit or pd.isna(value) else f"{value:,.10g}"
