"""One measure as a reader sees it: what its numbers say, and what people say of it."""

from __future__ import annotations

from typing import Any

import pandas as pd

from psa_analysis.analysis.disclosure import WITHHELD
from psa_analysis.analysis.trajectory import same_stage
from psa_analysis.periods import parse_period
from psa_analysis.register.commentary import WHOLE, entries
from psa_analysis.report import Report, assessment_row, memoised, readings_with_path
from psa_analysis.show.explain import explanation
from psa_analysis.show.grant import grants
from psa_analysis.show.tables import Html, templates
from psa_analysis.show.trajectories import trajectory_chart
from psa_analysis.show.views import View
from psa_analysis.words import (
    CHANCE_MOVED,
    NOT_STATED,
    chance_text,
    counted,
    day_text,
    figure_text,
    listed,
    pot_text,
    pounds_text,
    required_text,
    with_unit,
)


def measure(report: Report, name: str) -> View:
    """One measure: where it stands, its readings beside the planned path and the forecast."""
    row = assessment_row(report, name)
    nothing = pd.isna(row["target"]) and pd.isna(row["latest"]) and row["latest_flag"] != WITHHELD
    return View(
        heading=f"{row['title']} ({name})",
        words=lambda: measure_words(report, name),
        chart=None if nothing else lambda: trajectory_chart(report, name),
        origin=None if report.audience == "public" else lambda: _origin(report, name),
        data=readings_with_path(report, name),
    )


def _origin(report: Report, measure: str) -> Html:
    """The chain from the latest figure back to the cells of returns that it was made from."""
    lines = list(explanation(report, measure))
    title = assessment_row(report, measure)["title"]
    html = templates().get_template("chain.html.j2").render(title=title, lines=lines)
    return Html(html, "\n".join(lines))


def measure_words(report: Report, measure: str) -> Html:
    """Where a measure stands, what changed, and what people say; the rest is folded."""
    row = assessment_row(report, measure)
    before = None if report.before is None else assessment_row(report.before, measure)
    rewards = _rewards(report)
    first = _text([*standing_sentences(row), *change_sentences(row, before)])
    further = further_sentences(row, rewards.loc[measure] if measure in rewards.index else None)
    more = _text([*further, *_stage(report, measure), *_about(report, measure)])
    comments = commentary(report, measure)
    html = templates().get_template("measure.html.j2").render(first=first, more=more)
    return Html(html + comments.html, "\n".join(filter(None, [first, more, comments.text])))


def _text(sentences: list[str]) -> str:
    """Sentences as one text; each begins with a capital and ends with one full stop."""
    return " ".join(f"{text[:1].upper()}{text[1:].rstrip('.')}." for text in sentences)


def _about(report: Report, measure: str) -> list[str]:
    """What a measure counts, which way is better, and what the register notes of it."""
    row, notes = report.agreement.measures.loc[measure], report.agreement.notes
    about = [] if row["definition"] == NOT_STATED else [f"What is counted: {row['definition']}"]
    return [*about, f"{row['polarity']} is better", *notes.loc[notes["about"] == measure, "text"]]


@memoised
def _rewards(report: Report) -> pd.DataFrame:
    """The grants by measure."""
    return grants(report).set_index("measure")


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
    return f"{kind} by {row.author}, written on {day_text(day)}{late}"


def _stage(report: Report, measure: str) -> list[str]:
    """Where a figure counted from April on stands beside the same stage of earlier years."""
    definition = report.agreement.measures.loc[measure]
    readings = readings_with_path(report, measure)
    if definition["basis"] != "year_to_date" or readings.empty:
        return []
    last, unit = readings.iloc[-1], str(definition["unit"])
    period = parse_period(last["period"])
    if period.kind != "quarter" or period.end.month == 3:
        return []
    stage = same_stage(readings, period, unit)
    texts = [f"from April to the end of {period} it is {with_unit(last['reading'], unit)}"]
    if pd.notna(stage.year_before):
        texts.append(f"a year before it was {figure_text(stage.year_before, unit)} by then")
    if pd.notna(stage.share):
        years = counted(len(stage.years), "earlier year")
        texts.append(f"in {years}, {stage.share:.0%} of the whole year had been reached by then")
    return texts


def standing_sentences(row: pd.Series) -> list[str]:
    """The state with its chance or its reason, and the latest reading beside the planned path."""
    unit, state = str(row["unit"]), str(row["state"])
    hidden = row["latest_flag"] == WITHHELD
    if row["is_forecast"] and pd.notna(row["chance_target"]):
        # A chance without its forecast rests on figures that are not shown, and is in tenths.
        about = "about " if pd.isna(row["forecast"]) else ""
        target = f"{with_unit(row['target'], unit)} by {row['due']}"
        chance = chance_text(row["chance_target"])
        texts = [f"{state}: the chance of reaching {target} is {about}{chance}"]
    else:
        # Where states are those of a path, it has moved so and so far.
        reason = str(row["reason"])
        moved = state in ("on track", "at risk", "off track") and reason.startswith("m")
        texts = [f"{state}: it has {reason}" if moved else f"{state}: {reason}"]
    if hidden:
        texts.append(f"the latest reading, for {row['latest_period']}, is {row['missing']}")
    elif pd.notna(row["latest"]):
        flag = "" if row["latest_flag"] in ("final", "revised") else f" ({row['latest_flag']})"
        latest = f"the latest reading is {with_unit(row['latest'], unit)} for "
        latest += f"{row['latest_period']}{flag}"
        if row["is_forecast"] and pd.notna(row["planned"]):
            latest += f", {_beside_path(row)}"
        texts.append(latest)
    if row["late"]:
        texts.append(f"the return for {row['expected_period']} had not come in by the cut-off")
    return texts


def change_sentences(row: pd.Series, before: pd.Series | None) -> list[str]:
    """What is new since the report of the quarter before; nothing if that is not worth reading."""
    if before is None:
        return []
    changes = []
    if row["state"] != before["state"]:
        changes.append(f"it has gone from {before['state']} to {row['state']}")
    now, then = row["chance_target"], before["chance_target"]
    if pd.notna(now) and pd.notna(then) and abs(now - then) >= CHANCE_MOVED:
        way = "risen" if now > then else "fallen"
        changes.append(f"the chance has {way} from {chance_text(then)} to {chance_text(now)}")
    latest, earlier = (figure_text(each["latest"], str(row["unit"])) for each in (row, before))
    if pd.isna(row["latest"]):
        pass
    elif row["latest_period"] != before["latest_period"]:
        way = row["direction"]
        first = pd.isna(way)
        new = "a first reading has come in" if first else f"the new reading is {_direction(row)}"
        changes.append(new)
    elif latest != earlier:
        period = row["latest_period"]
        changes.append(f"the reading of {period} was revised from {earlier} to {latest}")
    return [f"since {before['period']} {listed(changes)}"] if changes else []


def further_sentences(row: pd.Series, reward: pd.Series | None = None) -> list[str]:
    """The range of the forecast, what is still to be done, what is at stake, what is not known."""
    unit, texts = str(row["unit"]), []
    if pd.notna(row["forecast"]):
        low, high = figure_text(row["low_80"], unit), figure_text(row["high_80"], unit)
        middle = figure_text(row["forecast"], unit)
        texts.append(
            f"the forecast for {row['due']} is {middle}, with eight in ten chances between "
            f"{low} and {high}"
        )
    if row["is_forecast"] and pd.notna(row["required"]) and row["required"]:
        texts.append(required_text(row))
    if reward is not None:
        texts.append(_reward(reward))
    elif row["role"] == "supporting":
        texts.append("it does not count for the reward")
    hidden = row["latest_flag"] == WITHHELD
    if row["missing"] and not (row["late"] or hidden) and row["missing"] not in row["reason"]:
        texts.append(f"no reading can be made for the newest period: {row['missing']}")
    if (
        reward is not None
        and reward["status"] != "not stated"
        and row["without_status"] in (NOT_STATED, "assumed")
    ):
        what = row["without_status"]
        texts.append(f"performance without the agreement is {what}, so the reward is uncertain")
    return texts


def _beside_path(row: pd.Series) -> str:
    """``about 6 months behind the planned path, which asks for −11.7% by then``."""
    unit = str(row["unit"])
    planned = figure_text(row["planned"], unit)
    if planned == figure_text(row["latest"], unit):
        return "on the planned path"
    better = (row["gap"] > 0) == (row["polarity"] == "higher")
    months = 0 if pd.isna(row["gap_months"]) else round(abs(row["gap_months"]))
    # On a path with seasons months and figures may point different ways: the figure is what counts.
    agree = months and (row["gap_months"] > 0) == better
    distance = f"about {counted(months, 'month')} " if agree else ""
    side = "ahead of" if better else "behind"
    return f"{distance}{side} the planned path, which asks for {planned}"


def _reward(reward: pd.Series) -> str:
    """What part of the pot a measure earns, or may earn."""
    pot_share = reward["pot_share"]
    stake = pot_text(pot_share, pot_share)
    part = pot_text(*(pot_share * reward[["least", "most"]]))
    pounds = pounds_text(reward["pounds_least"], reward["pounds_most"])
    money = "" if pd.isna(reward["pounds_least"]) else f" ({pounds})"
    if reward["status"] == "final":
        return f"of its {stake} of the reward pot it earns {part}{money}"
    if reward["status"] != "forecast":
        return f"at stake is {stake} of the reward pot; how much of it to expect is not known"
    return f"at stake is {stake} of the reward pot, of which {part} is expected{money}"


def _direction(row: pd.Series) -> str:
    """``better than the one before and than that of a year earlier``."""

    def than(direction: str) -> str:
        return "the same as" if direction == "same" else f"{direction} than"

    first, on_year = str(row["direction"]), row["direction_on_year"]
    text = f"{than(first)} the one before"
    if pd.isna(on_year):
        return text
    if on_year == first:
        return f"{text} and {than(first).removeprefix(first).strip()} that of a year earlier"
    return f"{text}, but {than(str(on_year))} that of a year earlier"
