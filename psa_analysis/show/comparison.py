"""What this report says otherwise than the one before."""

from __future__ import annotations

import pandas as pd

from psa_analysis.analysis import comparison
from psa_analysis.analysis.comparison import Pack
from psa_analysis.report import Report, assessment_row, memoised
from psa_analysis.show.grant import grants
from psa_analysis.show.tables import Html, sentence, table
from psa_analysis.show.views import View
from psa_analysis.words import CHANCE_MOVED, chance_text, counted, figure_text, listed, range_text


def changes(report: Report) -> View:
    """What has changed since the quarter before, and why."""
    return View(
        words=lambda: changes_words(report),
        table=lambda: changes_table(report),
        data=None if report.before is None else changes_between(report.before, report),
    )


@memoised
def changes_between(earlier: Report, later: Report) -> pd.DataFrame:
    """What the later of two reports says differently, and why."""
    return comparison.changes(pack_of(earlier), pack_of(later))


def pack_of(report: Report) -> Pack:
    """What the pack of a report says."""
    return Pack(
        report.period,
        report.agreement.settings.agreement.area,
        report.assessment,
        report.readings[["measure", "area", "period", "observed", "flag"]],
        grants(report)[["measure", "pot_share", "least", "most"]],
        report.commitments[["commitment", "promise", "state", "reason"]],
    )


def changes_table(report: Report) -> Html:
    """Measure by measure, what has changed since the quarter before, and why."""
    before = report.before
    if before is None:
        return _no_report_before(report)
    rows = changes_between(before, report)
    rows = rows[rows["measure"].isin(report.assessment["measure"]) & (rows["area"] == "")]
    shown = []
    for measure, group in rows.groupby("measure", sort=False):
        by_what = group.set_index("what")
        moved = by_what.index.difference(["forecast", "chance", "grant at least", "grant at most"])
        if moved.empty and not _chance_moved(by_what):
            continue
        row = assessment_row(report, str(measure))
        cells: dict[str, object] = {"Measure": measure, "What is measured": row["title"]}
        for what, column in (
            ("state", "state"),
            ("reading", "latest"),
            ("chance", "chance_target"),
        ):
            unit = str(row["unit"]) if what == "reading" else ""
            old = by_what.at[what, "before"] if what in by_what.index else row[column]
            cells[f"{what.capitalize()} before"] = change_text(old, what, unit)
            cells[f"{what.capitalize()} now"] = change_text(row[column], what, unit)
        cells["The reading is"] = by_what["direction"].get("reading", "")
        cells["Why"] = group["why"].iloc[0]
        shown.append(cells)
    # What changed state comes first, and stays in the register's order otherwise.
    shown.sort(key=lambda cells: cells["State before"] == cells["State now"])
    frame = pd.DataFrame(shown).replace("", "–")
    numeric = ["Reading before", "Reading now", "Chance before", "Chance now"]
    return table(frame, f"What has changed since {before.period}", numeric=numeric)


def _chance_moved(by_what: pd.DataFrame) -> bool:
    if "chance" not in by_what.index:
        return False
    ends = by_what.loc["chance", ["before", "after"]]
    return bool(ends.isna().any() or abs(ends["after"] - ends["before"]) >= CHANCE_MOVED)


def _no_report_before(report: Report) -> Html:
    return sentence(
        f"There is no report before {report.period} to compare with: the agreement began in "
        f"{report.agreement.settings.agreement.first_year}."
    )


def changes_words(report: Report) -> Html:
    """What has changed since the quarter before, in a few sentences."""
    before = report.before
    if before is None:
        return _no_report_before(report)
    rows = changes_between(before, report)
    rows = rows[rows["area"].isin(["", report.agreement.settings.agreement.area])]
    states = rows[rows["what"] == "state"]
    readings = rows[(rows["what"] == "reading") & (rows["period_before"] != rows["period_after"])]
    revised = rows[(rows["what"] == "figure") & rows["before"].notna() & rows["after"].notna()]
    text = f"Since {before.period}: "
    if len(states):
        moves = [
            f"{row.measure} is {row.after} (before: {row.before})" for row in states.itertuples()
        ]
        have = "has" if len(states) == 1 else "have"
        text += f"{counted(len(states), 'measure')} {have} changed state: {listed(moves)}"
    else:
        text += "No measure has changed state"
    if len(readings):
        ways = readings["direction"].value_counts()
        names = {"better": "better", "worse": "worse", "same": "the same"}
        parts = [f"{ways[way]} {name}" for way, name in names.items() if way in ways]
        text += f". {counted(len(readings), 'new reading')} came in"
        text += f", {listed(parts)} than the reading before" if parts else ""
    if len(revised):
        were = "was" if len(revised) == 1 else "were"
        text += f". {counted(len(revised), 'earlier figure')} {were} revised"
    if readings.empty and revised.empty:
        text += ". No figure came in and none was revised"
    was, now = (
        range_text(*grants(which)[["least", "most"]].mul(grants(which)["pot_share"], axis=0).sum())
        for which in (before, report)
    )
    still = "still " if was == now else ""
    text += f". The reward is {still}expected to come to {now} of the pot"
    return sentence(f"{text}." if still else f"{text}, and was {was}.")


def change_text(value: object, what: str, unit: str) -> str:
    """What stood or stands there, of a row of :func:`changes`."""
    if pd.isna(value):
        return "–"
    if isinstance(value, str):
        return value
    number = float(str(value))
    if what == "chance":
        return chance_text(number)
    if unit == "share of the pot":
        return range_text(number, number, 2)
    return figure_text(number, unit) if unit else f"{number:,.10g}"
