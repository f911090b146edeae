"""One measure as a reader sees it: what its numbers say, and what people say of it."""

from __future__ import annotations

from typing import Any

import pandas as pd

from psa_analysis import words
from psa_analysis.analysis.disclosure import WITHHELD
from psa_analysis.register.loading import WHOLE, entries
from psa_analysis.report import Report, assessment_row, readings_with_path
from psa_analysis.show.explain import explanation
from psa_analysis.show.grant import grants
from psa_analysis.show.tables import Html, sentence, table, templates
from psa_analysis.show.trajectories import trajectory_chart
from psa_analysis.show.views import View

#: Labels of the chain whose texts the words of a measure state, or its chart shows.
_STATED_ABOVE = ("Measure", "State", "Latest", "Path")


def measure(report: Report, name: str) -> View:
    """One measure: where it stands, its readings beside the planned path and the forecast."""
    row = assessment_row(report, name)
    nothing = pd.isna(row["target"]) and pd.isna(row["latest"]) and row["latest_flag"] != WITHHELD
    return View(
        heading=f"{row['title']} ({name})",
        anchor=name,
        words=lambda: measure_words(report, name),
        chart=None if nothing else lambda: trajectory_chart(report, name),
        origin=lambda: _origin(report, name),
        data=readings_with_path(report, name),
    )


def _origin(report: Report, measure: str) -> Html:
    """What is known of a measure, and the chain from its latest figure back to cells of returns."""
    rows = [*facts(report, measure).items()]
    if report.audience == "internal":
        # State and latest reading stand above.
        rows += [row for row in explanation(report, measure) if row[0] not in _STATED_ABOVE]
    frame = pd.DataFrame(rows, columns=["About", "What is known"])
    caption = f"{assessment_row(report, measure)['title']}: the facts, and where they come from"
    return table(frame, caption, folded=True)


def measure_words(report: Report, measure: str) -> Html:
    """Where a measure stands, what has changed, and what people say of it."""
    row = assessment_row(report, measure)
    before = None if report.before is None else assessment_row(report.before, measure)
    about = sentence(words.as_sentences([*standing_sentences(row), *change_sentences(row, before)]))
    comments = commentary(report, measure)
    text = "\n".join(filter(None, [about.text, comments.text]))
    return Html(about.html + comments.html, text)


def commentary(report: Report, about: str = WHOLE) -> Html:
    """What people wrote about a measure, or the whole agreement, for this report; often nothing."""
    if about != WHOLE:
        assessment_row(report, about)
    shown = [
        ([part.strip() for part in row.text.splitlines() if part.strip()], _written_by(row, report))
        for row in entries(
            report.commentary, about, report.period.label, report.audience
        ).itertuples()
    ]
    html = templates().get_template("commentary.html.j2").render(entries=shown)
    return Html(html, "\n".join(f"{by}: {' '.join(paragraphs)}" for paragraphs, by in shown))


def _written_by(row: Any, report: Report) -> str:
    """Whose words they are, of when, and whether figures that came in later were known."""
    day = row.written.date()
    late = ", after the figures of this report were closed" if day > report.cut_off else ""
    kind = "Illustrative commentary" if row.illustrative else "Commentary"
    return f"{kind} by {row.author}, written on {words.day_text(day)}{late}"


def facts(report: Report, measure: str) -> pd.Series:
    """What is known of a measure beside its readings: a text for each label."""
    row, definition = assessment_row(report, measure), report.agreement.measures.loc[measure]
    notes = report.agreement.notes
    found = {}
    if pd.notna(row["forecast"]):
        low, high = words.figure_text(row["low_80"], row), words.figure_text(row["high_80"], row)
        middle = words.figure_text(row["forecast"], row)
        found["Forecast"] = f"{middle} for {row['due']}; eight in ten chances: {low} to {high}"
    if row["is_forecast"] and pd.notna(row["required"]) and row["required"]:
        found["Needed from here"] = words.required_text(row)
    if pd.notna(row["year_before"]):
        found["A year before"] = words.with_unit(row["year_before"], row)
    if row["rule"] != "level":
        found["Judged by"] = row["judged_by"]
    found["Reward"] = _reward(report, row)
    if definition["definition"] != words.NOT_STATED:
        found["What is counted"] = definition["definition"]
    found["Better is"] = "" if row["polarity"] == words.NOT_STATED else row["polarity"]
    found["Note"] = " ".join(notes.loc[notes["about"] == measure, "text"])
    hidden = row["latest_flag"] == WITHHELD
    if row["missing"] and not (row["late"] or hidden) and row["missing"] not in row["reason"]:
        found["Newest period"] = f"no reading: {row['missing']}"
    return pd.Series({label: text for label, text in found.items() if text})


def standing_sentences(row: pd.Series) -> list[str]:
    """The state with its chance or its reason, and the latest reading beside the planned path."""
    state = str(row["state"])
    if row["is_forecast"] and pd.notna(row["chance_target"]):
        # A chance without its forecast rests on figures that are not shown, and is in tenths.
        about = "about " if pd.isna(row["forecast"]) else ""
        target = f"{words.target_text(row)} by {row['due']}"
        chance = words.chance_text(row["chance_target"])
        texts = [f"{state}: the chance of reaching {target} is {about}{chance}"]
    else:
        texts = [f"{state}: {row['reason']}"]
    if row["latest_flag"] == WITHHELD:
        texts.append(f"the latest reading, for {row['latest_period']}, is {row['missing']}")
    elif pd.notna(row["latest"]):
        flag = "" if row["latest_flag"] in ("final", "revised") else f" ({row['latest_flag']})"
        latest = f"the latest reading is {words.with_unit(row['latest'], row)} for "
        latest += f"{row['latest_period']}{flag}"
        if row["is_forecast"] and pd.notna(row["planned"]):
            latest += f", {_beside_path(row)}"
        texts.append(latest)
    texts += filter(None, [words.tolerance_text(row)])
    if row["late"]:
        texts.append(f"the return for {row['expected_period']} is late")
    return texts


def change_sentences(row: pd.Series, before: pd.Series | None) -> list[str]:
    """What is new since the report of the quarter before; nothing if that is not worth reading."""
    if before is None:
        return []
    changes = []
    if row["state"] != before["state"]:
        changes.append(f"it has gone from {before['state']} to {row['state']}")
    now, then = row["chance_target"], before["chance_target"]
    if pd.notna(now) and pd.notna(then) and abs(now - then) >= words.CHANCE_MOVED:
        way = "risen" if now > then else "fallen"
        changes.append(
            f"the chance has {way} from {words.chance_text(then)} to {words.chance_text(now)}"
        )
    latest, earlier = (words.figure_text(each["latest"], each) for each in (row, before))
    if pd.notna(row["latest"]) and row["latest_period"] != before["latest_period"]:
        if pd.isna(row["direction"]):
            changes.append("a first reading has come in")
        else:
            way = row["direction"].replace("same", "the same")
            changes.append(f"the new reading is {way}")
    elif pd.notna(row["latest"]) and latest != earlier:
        period = row["latest_period"]
        changes.append(f"the reading of {period} was revised from {earlier} to {latest}")
    return [f"since {before['period']} {words.listed(changes)}"] if changes else []


def _beside_path(row: pd.Series) -> str:
    """``about 6 months behind the planned path of −11.7%``."""
    planned = words.figure_text(row["planned"], row)
    if planned == words.figure_text(row["latest"], row):
        return "on the planned path"
    better = (row["gap"] > 0) == (row["polarity"] == "higher")
    months = 0 if pd.isna(row["gap_months"]) else round(abs(row["gap_months"]))
    # On a path with seasons months and figures may point different ways: the figure is what counts.
    agree = months and (row["gap_months"] > 0) == better
    distance = f"about {words.counted(months, 'month')} " if agree else ""
    return f"{distance}{'ahead of' if better else 'behind'} the planned path of {planned}"


def _reward(report: Report, row: pd.Series) -> str:
    """What part of the pot a measure earns, or may earn."""
    rewards = grants(report).set_index("measure")
    if row["measure"] not in rewards.index:
        return "does not count for it"
    reward = rewards.loc[row["measure"]]
    pot_share = reward["pot_share"]
    stake = words.range_text(pot_share, pot_share, 1)
    least, most = pot_share * reward[["least", "most"]]
    part = words.range_text(least, most, 1)
    pounds = words.pounds_text(reward["pounds_least"], reward["pounds_most"])
    money = "" if pd.isna(reward["pounds_least"]) else f" ({pounds})"
    without = row["without_status"]
    uncertain = f"; performance without the agreement is {without}"
    uncertain = uncertain if without in (words.NOT_STATED, "assumed") else ""
    if pd.notna(reward["outturn"]):
        provisional = ", by a provisional outturn" if reward["status"] == "provisional" else ""
        return f"earns {part} of the pot{money} of at most {stake}{provisional}{uncertain}"
    if reward["status"] != "forecast":
        return f"{stake} of the pot at stake; how much of it to expect is not known"
    return f"{stake} of the pot at stake, {part} expected{money}{uncertain}"
