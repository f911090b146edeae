"""The overview: where every measure stands, how likely its target is, and what needs a decision."""

from __future__ import annotations

import pandas as pd

from psa_analysis.analysis.assessment import STATES
from psa_analysis.analysis.disclosure import WITHHELD
from psa_analysis.register.commentary import entries
from psa_analysis.report import Report, of_theme
from psa_analysis.show.grant import gains
from psa_analysis.show.tables import (
    MARKS,
    Column,
    Html,
    rows_table,
    sentence,
    state_cell,
    table,
    templates,
    title_text,
)
from psa_analysis.show.trajectories import sparkline
from psa_analysis.show.views import View
from psa_analysis.words import (
    NOT_STATED,
    STATE_SIGNS,
    chance_text,
    counted,
    figure_text,
    listed,
    range_text,
    required_text,
    with_unit,
)

#: States that someone has to act on, the worst first.
EXCEPTIONS = ("missed", "off track", "at risk", "no data")


def scorecard(report: Report, theme: str | None = None) -> View:
    """Whether each target will be met, in a row each: readings, latest, target, chance, state."""
    rows = of_theme(report, theme)
    counting = rows[rows["role"] == "target"]
    return View(
        words=lambda: sentence(states_text(counting)),
        table=lambda: _scorecard(report, counting),
        data=counting,
    )


def states_text(rows: pd.DataFrame) -> str:
    """``Of 17 measures that count for the reward: 3 on track and 14 off track``, in words."""
    unjudged = rows["state"].isin(["no target", "not stated"])
    number = rows.loc[~unjudged, "state"].value_counts()
    parts = [f"{number[state]} {state}" for state in reversed(STATES) if state in number]
    if unjudged.any():
        parts.append(f"{unjudged.sum()} that cannot be judged")
    return f"Of {counted(len(rows), 'measure')} that count for the reward: {listed(parts)}."


def _scorecard(report: Report, rows: pd.DataFrame) -> Html:
    shown = [
        {
            "title": row["title"],
            "code": row["measure"],
            "picture": sparkline(report, row).address,
            "latest": latest_text(row),
            "latest_period": row["latest_period"] if pd.notna(row["latest"]) else "",
            "target": _target_text(row),
            "due": row["due"] if pd.notna(row["target"]) else "",
            "chance": None if pd.isna(row["chance_target"]) else chance_text(row["chance_target"]),
            "share": 0 if pd.isna(row["chance_target"]) else round(100 * row["chance_target"]),
            "state": row["state"],
            "sign": STATE_SIGNS.get(row["state"], ""),
        }
        for _, row in rows.iterrows()
    ]
    caption = f"Will each target be met? {report.period}"
    html = templates().get_template("scorecard.html.j2").render(rows=shown, caption=caption)
    columns = ["title", "code", "latest", "latest_period", "target", "due", "chance", "state"]
    frame = pd.DataFrame(shown, columns=columns)
    return Html(html, table(frame, caption).text, frame)


def _target_text(row: pd.Series) -> str:
    return NOT_STATED if pd.isna(row["target"]) else with_unit(row["target"], row["unit"])


def decisions(report: Report, theme: str | None = None) -> View:
    """Targets that will not be met as things stand: who owns each, and what is asked of whom.

    What is asked is what somebody wrote of it for this report; where nobody did, it is what each
    period has to bring from here, and what a tenth of the way more would add to the reward.
    """
    rows = of_theme(report, theme)
    rows = rows[(rows["role"] == "target") & (rows["state"].isin(EXCEPTIONS) | rows["late"])]
    order = rows["state"].map({state: rank for rank, state in enumerate(EXCEPTIONS)}).fillna(9)
    rows = rows.loc[order.sort_values(kind="stable").index]
    partners = report.agreement.settings.partners
    owners = [
        partners.get(report.agreement.measures.at[name, "partner"]) for name in rows["measure"]
    ]
    rows = rows.assign(owner=[owner or "not stated" for owner in owners])
    columns = [
        Column("Measure", lambda row: f"{row['title']} ({row['measure']})"),
        Column("State", state_cell),
        Column("Who returns it", "owner"),
        Column("What is asked", lambda row: _asked(report, row)),
    ]
    names = listed([f"{row['title']} ({row['measure']})" for _, row in rows.iterrows()])
    return View(
        words=lambda: sentence(f"{names or 'No measure'}."),
        table=lambda: rows_table(rows, columns, f"What needs a decision, {report.period}"),
        data=rows,
    )


def _asked(report: Report, row: pd.Series) -> str:
    written = entries(report.commentary, row["measure"], report.period.label, report.audience)
    if len(written):
        last = written.iloc[-1]
        made_up = ", illustrative" if last["illustrative"] else ""
        return f"{' '.join(last['text'].split())} ({last['author']}{made_up})"
    sentences = []
    if row["late"]:
        sentences.append(f"Ask for the return of {row['expected_period']}, which is late")
    if row["is_forecast"] and pd.notna(row["required"]) and row["required"]:
        sentences.append(required_text(row))
        gain = gains(report).set_index("measure")
        if row["measure"] in gain.index:
            ends = gain.loc[row["measure"], ["least", "most"]]
            added = range_text(min(ends), max(ends), 2)
            sentences.append(f"a tenth of the way more is worth {added} of the pot")
    text = "; ".join(sentences or [str(row["reason"])])
    return f"{text[:1].upper()}{text[1:]}."


def standing(report: Report, theme: str | None = None) -> View:
    """Every measure of the agreement, or of one theme, in all its figures."""
    rows = of_theme(report, theme)
    where = "the agreement" if theme is None else report.agreement.settings.themes[theme]
    columns = [
        Column("Measure"),
        Column("What is measured", _title),
        _stated_figure("Baseline"),
        Column.number("Latest", lambda row: latest_text(row) + MARKS.get(row["latest_flag"], "")),
        Column("Of period", "latest_period"),
        Column.figure("Planned by then", "planned"),
        _stated_figure("Target"),
        Column("Due"),
        Column.chance("Chance of the target", "chance_target"),
        Column("State", state_cell),
        Column("Since last reading", "direction"),
        Column("On the year", "direction_on_year"),
    ]
    caption = f"Every measure of {where}, {report.period}"
    return View(table=lambda: rows_table(rows, columns, caption, bool(theme)), data=rows)


def _title(row: pd.Series) -> str:
    return title_text(row) + (" (supporting)" if row["role"] == "supporting" else "")


def _stated_figure(heading: str) -> Column:
    """A figure of the register, with a mark where it is not as stated."""
    name = heading.lower()

    def cell(row: pd.Series) -> str:
        status = row[f"{name}_status"]
        if status == NOT_STATED:
            return NOT_STATED
        return figure_text(row[name], row["unit"]) + MARKS.get(status, "")

    return Column.number(heading, cell)


def latest_text(row: pd.Series) -> str:
    """The latest reading, or the sign for one that is not shown."""
    return "[c]" if row["latest_flag"] == WITHHELD else figure_text(row["latest"], row["unit"])


def forecasts(report: Report) -> View:
    """How likely each target is to be met, or why nothing can be said."""
    outlooks = [report.outlooks[measure] for measure in report.assessment["measure"]]
    rows = report.assessment.assign(
        readings=[outlook.readings or "–" for outlook in outlooks],
        note=[outlook.reason or outlook.note for outlook in outlooks],
    )
    columns = [
        Column("Measure"),
        Column("What is measured", "title"),
        Column("Due"),
        Column.figure("Target"),
        Column.figure("Middle of the forecast", "forecast"),
        Column.between("Eight in ten chances", "low_80", "high_80"),
        Column.chance("Chance of the target", "chance_target"),
        Column.chance("Chance of the trigger", "chance_trigger"),
        Column.number("Readings"),
        Column("Note"),
    ]
    caption = f"How likely each target is to be met, {report.period}"
    return View(table=lambda: rows_table(rows, columns, caption, folded=True), data=rows)
