"""What this report says otherwise than the one before."""

from __future__ import annotations

import pandas as pd

from psa_analysis.analysis import comparison
from psa_analysis.analysis.comparison import Pack
from psa_analysis.analysis.grant import grants
from psa_analysis.report import Report, assessment_row, memoised
from psa_analysis.show.tables import Html, sentence, table
from psa_analysis.words import CHANCE_MOVED, chance_text, counted, figure_text, listed, range_text


@memoised
def changes(earlier: Report, later: Report) -> pd.DataFrame:
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
        return sentence(_no_report_before(report))
    rows = changes(before, report)
    rows = rows[rows["measure"].isin(report.assessment["measure"]) & (rows["area"] == "")]
    made = []
    for measure, own in rows.groupby("measure", sort=False):
        by = own.set_index("what")
        moved = by.index.difference(["forecast", "chance", "grant at least", "grant at most"])
        if moved.empty and not _chance_moved(by):
            continue
        row = assessment_row(report, str(measure))
        cells: dict[str, object] = {"Measure": measure, "What is measured": row["title"]}
        now = {"state": row["state"], "reading": row["latest"], "chance": row["chance_target"]}
        for what, current in now.items():
            unit = str(row["unit"]) if what == "reading" else ""
            old = by.at[what, "before"] if what in by.index else current
            for when, value in (("before", old), ("now", current)):
                shown = None if pd.isna(value) else value
                cells[f"{what.capitalize()} {when}"] = change_text(shown, what, unit)
        cells["The reading is"] = by.at["reading", "direction"] if "reading" in by.index else ""
        cells["Why"] = own["why"].iloc[0]
        made.append(cells)
    # What changed state comes first, and stays in the register's order otherwise.
    made.sort(key=lambda cells: cells["State before"] == cells["State now"])
    frame = pd.DataFrame(made)
    numeric = ["Reading before", "Reading now", "Chance before", "Chance now"]
    return table(frame.replace("", "–"), f"What has changed since {before.period}", numeric=numeric)


def _chance_moved(by: pd.DataFrame) -> bool:
    if "chance" not in by.index:
        return False
    ends = by.at["chance", "before"], by.at["chance", "after"]
    return None in ends or abs(ends[1] - ends[0]) >= CHANCE_MOVED


def _no_report_before(report: Report) -> str:
    return (
        f"There is no report before {report.period} to compare with: the agreement began in "
        f"{report.agreement.settings.agreement.first_year}."
    )


def changes_words(report: Report) -> Html:
    """What has changed since the quarter before, in a few sentences."""
    before = report.before
    if before is None:
        return sentence(_no_report_before(report))
    rows = changes(before, report)
    ours = rows[rows["area"].isin(["", report.agreement.settings.agreement.area])]
    states = ours[ours["what"] == "state"]
    said = []
    if len(states):
        moves = [
            f"{row.measure} is {row.after} (before: {row.before})" for row in states.itertuples()
        ]
        have = "has" if len(states) == 1 else "have"
        said.append(f"{counted(len(states), 'measure')} {have} changed state: {listed(moves)}")
    else:
        said.append("No measure has changed state")
    new = ours[(ours["what"] == "reading") & (ours["period_before"] != ours["period_after"])]
    if len(new):
        ways = new["direction"].value_counts()
        parts = [f"{ways[way]} {way}" for way in ("better", "worse") if way in ways]
        if "same" in ways:
            parts.append(f"{ways['same']} the same")
        than = f", {listed(parts)} than the reading before" if parts else ""
        said.append(f"{counted(len(new), 'new reading')} came in{than}")
    revised = ours[(ours["what"] == "figure") & ours["before"].notna() & ours["after"].notna()]
    if len(revised):
        were = "was" if len(revised) == 1 else "were"
        said.append(f"{counted(len(revised), 'earlier figure')} {were} revised")
    if not len(new) and not len(revised):
        said.append("No figure came in and none was revised")
    pots = [
        [(one["pot_share"] * one[end]).sum() for end in ("least", "most")]
        for one in (grants(before), grants(report))
    ]
    was, now = (range_text(*pot) for pot in pots)
    if was != now:
        said.append(f"The reward is expected to come to {now} of the pot, and was {was}")
    else:
        said.append(f"The reward is still expected to come to {now} of the pot")
    return sentence(f"Since {before.period}: " + ". ".join(said) + ".")


def change_text(value: object, what: str, unit: str) -> str:
    """What stood or stands there, of a row of :func:`psa_analysis.analysis.comparison.changes`."""
    if value is None:
        return "–"
    if isinstance(value, str):
        return value
    number = float(str(value))
    if what == "chance":
        return chance_text(number)
    if unit == "share of the pot":
        return range_text(number, number, 2)
    return figure_text(number, unit) if unit else f"{number:,.10g}"
