"""The overview: where every measure stands, how likely its target is, and what needs a decision."""

import pandas as pd

from psa_analysis import words
from psa_analysis.analysis.assessment import STATES, WITHHELD
from psa_analysis.register.loading import entries
from psa_analysis.report import Report, of_theme
from psa_analysis.show.chart import picture_address
from psa_analysis.show.grant import expected_text, gains, grants, not_entered_text
from psa_analysis.show.record import lean_text, record_of, record_text
from psa_analysis.show.tables import MARKS, Column, Html, render, rows_table, table, title_text
from psa_analysis.show.trajectories import sparkline
from psa_analysis.show.views import View


def scorecard(report: Report, theme: str | None = None) -> View:
    """Whether each target will be met, in a row each: readings, latest, target, chance, state."""
    rows = of_theme(report, theme)
    counting = rows[rows["role"] == "target"]
    return View(
        words=lambda: _answers(report, theme, counting),
        table=lambda: _scorecard(report, counting),
        data=counting,
    )


def _answers(report: Report, theme: str | None, rows: pd.DataFrame) -> Html:
    """The first answers of a page: will it be met, what is at stake, what needs a decision."""
    asked = decisions(report, theme).data
    owners = asked["owner"].value_counts().drop(words.NOT_STATED, errors="ignore")
    named = [f"{owner} ({number})" for owner, number in owners[:3].items()]
    who = words.listed([*named, "others"] if len(owners) > 3 else named)
    need = "need" if len(asked) > 1 else "needs"
    needed = words.counted(len(asked), "measure") if len(asked) else "No measure"
    answers = {
        "Will the targets be met?": f"{lean_text(report)} {states_text(rows)}".lstrip(),
        "How sure are we?": record_text(record_of(report, *rows["measure"])),
        "What is at stake?": _stake_text(report, theme, rows),
        "Who has to act?": f"{needed} {need} a decision{who and f': {who}'}.",
    }
    html = render("answers", answers=answers)
    return Html(html, "\n".join(f"{asks} {text}" for asks, text in answers.items() if text))


def states_text(rows: pd.DataFrame) -> str:
    """``Of 20 measures: 1 on track, 5 at risk and 14 off track``."""
    unjudged = rows["state"].isin(["not judged", "no target", "not stated"])
    number = rows.loc[~unjudged, "state"].value_counts()
    parts = [f"{number[state]} {state}" for state in reversed(STATES) if state in number]
    if unjudged.any():
        parts.append(f"{unjudged.sum()} not judged")
    return f"Of {words.counted(len(rows), 'measure')}: {words.listed(parts)}."


def _stake_text(report: Report, theme: str | None, rows: pd.DataFrame) -> str:
    """How much of the reward is expected from some measures, and of how much nothing is known."""
    rewards = grants(report)
    rewards = rewards[rewards["measure"].isin(rows["measure"])]
    if rewards.empty:
        return ""
    share, expected = rewards["pot_share"].sum(), expected_text(rewards)
    verb = "" if rewards["status"].isin(["final", "provisional"]).all() else "expected "
    out_of = f", out of {share:.0%}" if theme and share < 0.999 else ""
    return f"The {verb}reward is {expected}{out_of}. {not_entered_text(report)}".rstrip()


def _scorecard(report: Report, rows: pd.DataFrame) -> Html:
    shown = []
    for row in (report.rows[name] for name in rows["measure"]):
        chance, stated = row["chance_target"], pd.notna(row["target"])
        drawn = stated or pd.notna(row["latest"])
        cells = {
            "title": row["title"],
            "code": row["measure"],
            "picture": picture_address(sparkline(report, row).svg) if drawn else None,
            "latest": latest_text(row) + (MARKS["provisional"] if _is_provisional(row) else ""),
            "latest_period": row["latest_period"] if pd.notna(row["latest"]) else "",
            "target": words.target_text(row),
            "due": row["due"] if stated else "",
            "chance": words.chance_text(chance),
            "share": None if pd.isna(chance) else round(100 * chance),
            "state": row["state"],
            "tolerance": words.tolerance_text(row),
        }
        shown.append(cells)
    caption = f"Every measure, {report.period}"
    columns = ["title", "code", "latest", "latest_period", "target", "due", "chance", "state"]
    columns += ["tolerance"] if any(row["tolerance"] for row in shown) else []
    frame = pd.DataFrame(shown, columns=columns)
    return Html(render("scorecard", rows=shown, caption=caption), table(frame, caption).text, frame)


def decisions(report: Report, theme: str | None = None) -> View:
    """Targets that will not be met as things stand: who owns each, and what is asked of whom."""
    rows = of_theme(report, theme)
    # What someone has to act on, the worst first.
    ranks = {"off track": 0, "at risk": 1, "no data": 2}
    # A shortfall that is provisional is to be confirmed.
    asked = rows.apply(_is_provisional, axis=1) & (rows["state"] != "achieved")
    asked |= rows["state"].isin(ranks) | rows["late"]
    asked |= (rows["state"] == "missed") & rows["rule"].isin(["yearly", "standard"])
    rows = rows[(rows["role"] == "target") & asked]
    rows = rows.loc[rows["state"].map(ranks).sort_values(kind="stable").index]
    owners, partners = report.agreement.measures["partner"], report.agreement.settings.partners
    owners = [partners.get(owners[name], words.NOT_STATED) for name in rows["measure"]]
    rows = rows.assign(owner=owners).merge(gains(report)[["measure", "least", "most"]], how="left")
    columns = [
        Column("Measure", lambda row: f"{row['title']} ({row['measure']})"),
        Column("State"),
        Column("Who returns it", "owner"),
        Column("What is asked", lambda row: _asked(report, row)),
        Column("By", "due"),
        Column.share("Share of the pot gained by a tenth more progress", "least", "most", 2),
    ]
    if grants(report).empty:
        columns.pop()
    caption = f"What needs a decision, {report.period}"
    return View(table=lambda: rows_table(rows, columns, caption), data=rows)


def _asked(report: Report, row: pd.Series) -> str:
    """What somebody wrote of a measure for this report, else what it takes from here."""
    written = entries(report.commentary, row["measure"], report.period.label, report.audience)
    if len(written):
        last = written.iloc[-1]
        made_up = ", illustrative" if last["illustrative"] else ""
        return f"{' '.join(last['text'].split())} ({last['author']}{made_up})"
    asked = [f"Send the return of {row['expected_period']}, which is late"] if row["late"] else []
    if row["is_forecast"] and pd.notna(row["required"]) and row["required"]:
        asked.append(words.required_text(row))
    elif row["latest_flag"] == "provisional":
        asked.append(f"Confirm the figure of {row['latest_period']}, which is provisional")
    return words.as_sentences(asked or [str(row["reason"])])


def standing(report: Report, theme: str | None = None) -> View:
    """Every measure of the agreement, or of one theme, in all its figures."""
    rows = of_theme(report, theme)
    where = "the agreement" if theme is None else report.agreement.settings.themes[theme]
    roles = {"target": "", "supporting": ", supporting", "context": ""}
    columns = [
        Column("Measure", lambda row: f"{title_text(row)} ({row['measure']}{roles[row['role']]})"),
        _stated_figure("Baseline"),
        Column.number("Latest", lambda row: latest_text(row) + MARKS.get(row["latest_flag"], "")),
        Column("Period", "latest_period"),
        Column.figure("Planned by then", "planned"),
        _stated_figure("Target"),
        Column("Due"),
        Column.chance("Chance of the target", "chance_target"),
        Column("State"),
        *([Column("By tolerance", words.tolerance_text)] if rows["by_tolerance"].any() else []),
        Column("Since last reading", "direction"),
        Column("On the year", "direction_on_year"),
    ]
    caption = f"Every measure of {where}, {report.period}"
    shown = rows.assign(decimals=rows["measure"].map(report.decimals))
    return View(table=lambda: rows_table(shown, columns, caption, bool(theme)), data=rows)


def _stated_figure(heading: str) -> Column:
    """A figure of the register, with a mark where it is not as stated."""
    name = heading.lower()

    def cell(row: pd.Series) -> str:
        status, end = row[f"{name}_status"], row["target_to"] if name == "target" else float("nan")
        if status == words.NOT_STATED:
            return words.NOT_STATED
        to = "" if pd.isna(end) else f" to {words.figure_text(end, row)}"
        return words.figure_text(row[name], row) + MARKS.get(status, "") + to

    return Column.number(heading, cell)


def _is_provisional(row: pd.Series) -> bool:
    """Whether the reading that decides is there and may still be revised."""
    return not row["is_forecast"] and row["latest_flag"] == "provisional"


def latest_text(row: pd.Series) -> str:
    """The latest reading, or the sign for one that is not shown."""
    return "[c]" if row["latest_flag"] == WITHHELD else words.figure_text(row["latest"], row)
