"""One measure in words: what its numbers say, and what people say of it."""

from __future__ import annotations

import re
from typing import Any

import pandas as pd

from psa_analysis.analysis.trajectory import same_stage
from psa_analysis.periods import parse_period
from psa_analysis.register.commentary import WHOLE, entries
from psa_analysis.report import Report, assessment_row, memoised, readings_with_path
from psa_analysis.show.grant import grants
from psa_analysis.show.tables import Html, templates
from psa_analysis.words import (
    CHANCE_MOVED,
    chance_text,
    counted,
    day_text,
    figure_text,
    of_one,
    pot_text,
    pounds_text,
    state_text,
    with_unit,
)


def measure_words(report: Report, measure: str) -> Html:
    """What the numbers of one measure say, first what matters most; then what people say of it."""
    row = assessment_row(report, measure)
    made = _rewards_of(report)
    reward = made.loc[measure] if measure in made.index else None
    earlier = report.before
    before = None if earlier is None else assessment_row(earlier, measure)
    first = sentences(row, before, reward)
    more = f"{further_sentences(row, before, reward)}{_stage_words(report, measure)}".strip()
    said = commentary_words(report, measure)
    html = templates().get_template("measure.html.j2").render(first=first, more=more)
    return Html(html + said.html, "\n".join(filter(None, [first, more, said.text])))


@memoised
def _rewards_of(report: Report) -> pd.DataFrame:
    """The grants by measure; kept."""
    return grants(report).set_index("measure")


def commentary_words(report: Report, about: str = WHOLE) -> Html:
    """What people wrote about a measure, or the whole agreement, for this report; often nothing."""
    if about != WHOLE:
        assessment_row(report, about)
    rows = entries(report.commentary, about, report.period.label, report.audience)
    said = [
        {
            "paragraphs": [part.strip() for part in row.text.splitlines() if part.strip()],
            "by": _written_by(row, report),
        }
        for row in rows.itertuples()
    ]
    html = templates().get_template("commentary.html.j2").render(entries=said)
    text = "\n".join(f"{one['by']}: {' '.join(one['paragraphs'])}" for one in said)
    return Html(html, text)


def _written_by(row: Any, report: Report) -> str:
    """Whose words they are, of when, and whether figures that came in later were known."""
    late = row.written.date() > report.cut_off
    after = ", after the figures of this report were closed" if late else ""
    made_up = "Illustrative commentary" if row.illustrative else "Commentary"
    return f"{made_up} by {row.author}, written on {day_text(row.written.date())}{after}"


def _stage_words(report: Report, measure: str) -> str:
    """Where a figure counted from April on stands beside the same stage of earlier years."""
    definition, made = report.agreement.measures.loc[measure], readings_with_path(report, measure)
    if definition["basis"] != "year_to_date" or made.empty:
        return ""
    last, unit = made.iloc[-1], str(definition["unit"])
    period = parse_period(last["period"])
    if period.kind != "quarter" or period.end.month == 3:
        return ""
    stage = same_stage(made, period, unit)
    text = f" From April to the end of {period} it is {with_unit(last['reading'], unit)}"
    if pd.notna(stage.year_before):
        text += f", and was {figure_text(stage.year_before, unit)} at the same stage a year before"
    if pd.notna(stage.share):
        text += (
            f"; in {counted(len(stage.years), 'earlier year')} {stage.share:.0%} of the whole "
            "year's figure had been reached by then"
        )
    return f"{text}."


def sentences(
    row: pd.Series, before: pd.Series | None = None, reward: pd.Series | None = None
) -> str:
    """Where a measure stands, how likely its target is, what is at stake, and what has changed."""
    said = [_standing_text(row), _stake_text(row, reward)]
    said.append(_change_since_text(row, before))
    return ". ".join(filter(None, said)) + "."


def further_sentences(
    row: pd.Series, before: pd.Series | None = None, reward: pd.Series | None = None
) -> str:
    """The range of the forecast, what is still to be done, the direction, and what is not known."""
    unit = str(row["unit"])
    said = []
    if pd.notna(row["forecast"]):
        middle, low, high = (
            figure_text(row[name], unit) for name in ("forecast", "low_80", "high_80")
        )
        spread = f"stay at {low}" if low == high else f"lie between {low} and {high}"
        said.append(
            f"The middle of the forecast for {row['due']} is {middle}; "
            f"eight in ten chances {spread}"
        )
    elif pd.isna(row["chance_target"]) and row["state"] in ("on track", "at risk", "off track"):
        why = str(row["reason"]).partition("; no forecast")[0]
        said.append(f"It has {why}" if why.startswith("m") else f"{why[:1].upper()}{why[1:]}")
    if row["is_forecast"] and pd.notna(row["required"]) and row["required"]:
        said.append(_required_text(row))
    if pd.notna(row["direction"]):
        if not _is_new(row, before):
            said.append(f"The latest reading is {_direction_text(row)}")
        if row["latest_flag"] == "provisional":
            said.append("A provisional figure may still be revised, so the change may too")
    # The state may have said so already.
    hidden = row["latest_flag"] == "withheld"
    if row["missing"] and not (row["late"] or hidden) and row["missing"] not in row["reason"]:
        said.append(f"No reading can be made for the newest period: {row['missing']}")
    if reward is not None and reward["status"] != "not stated":
        if reward["least"] < reward["most"]:
            nor = ", nor is a baseline" if pd.isna(row["baseline"]) else ""
            said.append(
                f"Performance without the agreement is not stated{nor}, so the reward is a range"
            )
        elif row["without_status"] == "assumed":
            said.append("The reward rests on performance without the agreement as assumed")
    return ". ".join(said) + "." if said else ""


def _standing_text(row: pd.Series) -> str:
    """The state, and the latest reading beside the planned path."""
    unit, state = str(row["unit"]), str(row["state"])
    if row["latest_flag"] == "withheld":
        hidden = f"The latest reading, for {row['latest_period']}, is {row['missing']}"
        # The reason of a forecast is its chance, which follows.
        judged = row["is_forecast"] and pd.notna(row["chance_target"])
        start = f"{state.capitalize()} (forecast)" if judged else state_text(row)
        return f"{start}. {hidden}"
    if pd.isna(row["latest"]):
        return state_text(row)
    flag = "" if row["latest_flag"] in ("final", "revised") else f" ({row['latest_flag']})"
    latest = f"{with_unit(row['latest'], unit)} for {row['latest_period']}{flag}"
    if state in ("achieved", "partly achieved", "missed"):
        return f"{state.capitalize()}: {latest} {_decided_text(row)}"
    if state not in ("on track", "at risk", "off track"):
        return f"{state_text(row)}; the latest reading is {latest}"
    text = f"{state.capitalize()} (forecast): the latest reading"
    if pd.notna(row["planned"]):
        return f"{text}, {latest}, is {_beside_path_text(row)}"
    if pd.isna(row["baseline"]):
        text += f" is {latest}; no baseline is stated, so there is no path to compare it with"
        return text
    return f"{text} is {latest}"


def _decided_text(row: pd.Series) -> str:
    """What the deciding reading reaches, and what not."""
    unit = str(row["unit"])
    target = f"the target of {figure_text(row['target'], unit)}"
    if row["state"] == "achieved":
        return f"reaches {target}"
    if row["state"] == "partly achieved":
        return f"reaches the trigger of {figure_text(row['trigger'], unit)}, not {target}"
    return f"falls short of {target}"


def _beside_path_text(row: pd.Series) -> str:
    """``about 6 months behind the planned path, which asks for −11.7% by then``."""
    unit = str(row["unit"])
    planned = figure_text(row["planned"], unit)
    if planned == figure_text(row["latest"], unit):
        return "on the planned path"
    ahead = (row["gap"] > 0) == (row["polarity"] == "higher")
    months = 0 if pd.isna(row["gap_months"]) else round(abs(row["gap_months"]))
    # On a path with seasons months and figures may point different ways: the figure is what counts.
    agree = months and (row["gap_months"] > 0) == ahead
    how = f"about {counted(months, 'month')} " if agree else ""
    return f"{how}{'ahead of' if ahead else 'behind'} the planned path, which asks for {planned}"


def _stake_text(row: pd.Series, reward: pd.Series | None) -> str:
    """The chance of the target, and what part of the reward rests on it."""
    said = []
    if pd.notna(row["target"]) and row["is_forecast"]:
        target = f"the target, {with_unit(row['target'], str(row['unit']))} by {row['due']},"
        if pd.notna(row["chance_target"]):
            # A chance without its forecast rests on figures that are not shown, and is in tenths.
            about = "about " if pd.isna(row["forecast"]) else ""
            chance = chance_text(row["chance_target"])
            said.append(f"The chance of reaching {target} is {about}{chance}")
        elif row["no_forecast"]:
            why = re.sub("there are 1$", "there is 1", str(row["no_forecast"]))
            why = re.sub("there are 0$", "there are none", why)
            said.append(f"No chance can be given of reaching {target} since {why}")
    if reward is not None:
        stake = pot_text(reward["pot_share"], reward["pot_share"])
        least, most = (reward["pot_share"] * reward[end] for end in ("least", "most"))
        pounds = pounds_text(reward["pounds_least"], reward["pounds_most"])
        money = "" if pd.isna(reward["pounds_least"]) else f" ({pounds})"
        part = pot_text(least, most)
        if reward["status"] == "final":
            part = {stake: "all", "0%": "nothing"}.get(part, part)
            said.append(f"of its {stake} of the reward pot it earns {part}{money}")
        elif reward["status"] == "forecast":
            part = "all" if part == stake else part
            said.append(
                f"at stake is {stake} of the reward pot, of which {part} is expected{money}"
            )
        else:
            said.append(f"at stake is {stake} of the reward pot")
    elif row["role"] == "supporting" and said:
        said.append("it does not count for the reward")
    text = "; ".join(said)
    return text[:1].upper() + text[1:]


def _change_since_text(row: pd.Series, before: pd.Series | None) -> str:
    """What is new since the report of the quarter before."""
    late = f"the return for {row['expected_period']} had not come in by the cut-off"
    if before is None:
        return late[:1].upper() + late[1:] if row["late"] else ""
    said = []
    if row["state"] != before["state"]:
        said.append(f"it has gone from {before['state']} to {row['state']}")
    now, then = row["chance_target"], before["chance_target"]
    if pd.notna(now) and pd.notna(then) and abs(now - then) >= CHANCE_MOVED:
        way = "risen" if now > then else "fallen"
        said.append(f"the chance has {way} from {chance_text(then)} to {chance_text(now)}")
    unit = str(row["unit"])
    new = _is_new(row, before)
    if new and pd.notna(row["direction"]):
        said.append(f"the new reading is {_direction_text(row)}")
    elif new:
        said.append("a first reading has come in")
    elif pd.notna(row["latest"]) and figure_text(row["latest"], unit) != figure_text(
        before["latest"], unit
    ):
        was, is_ = (figure_text(one["latest"], unit) for one in (before, row))
        said.append(f"the reading of {row['latest_period']} was revised from {was} to {is_}")
    # With a comma, since what is said of the reading holds an "and" of its own.
    joined = ", and ".join(filter(None, [", ".join(said[:-1]), *said[-1:]]))
    since = f"Since {before['period']} {joined}" if said else ""
    if row["late"]:
        return f"{since}; {late}" if since else late[:1].upper() + late[1:]
    # What is not shown may have changed.
    if since or row["latest_flag"] == "withheld":
        return since
    return f"Nothing of note has changed since {before['period']}"


def _is_new(row: pd.Series, before: pd.Series | None) -> bool:
    """Whether the latest reading is of a later period than the one in the report before."""
    if before is None or pd.isna(row["latest"]):
        return False
    return bool(row["latest_period"] != before["latest_period"])


def _direction_text(row: pd.Series) -> str:
    """``better than the one before and than that of a year earlier``."""
    first, on_year = str(row["direction"]), row["direction_on_year"]
    text = f"{_than(first)} the one before"
    if pd.isna(on_year):
        return text
    if on_year == first:
        return f"{text} and {_than(first).removeprefix(first).strip()} that of a year earlier"
    return f"{text}, but {_than(str(on_year))} that of a year earlier"


def _required_text(row: pd.Series) -> str:
    """What each quarter or year has to bring from here, and whether that was ever done."""
    unit = str(row["unit"])
    points = unit in ("percent", "percent change", "percentage points")
    named = "percentage points" if points else "points" if unit == "index" else unit
    size = figure_text(abs(row["required"]), named).removesuffix(".0")
    if not size.strip("0."):
        size = "less than 0.1"
    elif size == "1":
        named = of_one(named)
    step = "quarter" if row["frequency"] == "quarterly" else "year"
    way = "rise" if row["required"] > 0 else "fall"
    text = f"From here the target takes a {way} of {size} {named} a {step}"
    if row["required_done_before"] == "never":
        return f"{text}, which has not been done before"
    if pd.notna(row["required_done_before"]):
        return f"{text}, which was done before, up to {row['required_done_before']}"
    return text


def _than(direction: str) -> str:
    return "the same as" if direction == "same" else f"{direction} than"
