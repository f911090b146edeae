"""Words: figures, states and short sentences as a reader expects them, from the numbers."""

from __future__ import annotations

import re
from datetime import date
from typing import TYPE_CHECKING

import pandas as pd

if TYPE_CHECKING:
    from psa_analysis.control import Control


from psa_analysis.effectiveness import AGREES_WITHIN, Effectiveness

#: A sign beside each state, so that it is never told by colour alone.
STATE_SIGNS = {
    "achieved": "✔", "partly achieved": "◐", "missed": "✘",
    "on track": "●", "at risk": "▲", "off track": "✖",
    "done": "✔", "done late": "◆", "overdue": "■",
}  # fmt: skip

_DECIMALS = {"percent": 1, "percent change": 1, "percentage points": 1, "index": 1,
             "million journeys": 2, "per 1,000 residents": 1}  # fmt: skip


def decimals(value: float, unit: str) -> int:
    """How many decimals a figure of a unit usually has; none for a whole count."""
    whole = float(value).is_integer() and unit not in _DECIMALS
    return 0 if whole else _DECIMALS.get(unit, 1)


def day_text(day: date) -> str:
    """A day as a reader expects it: ``14 February 2005``."""
    return f"{day.day} {day:%B %Y}"


def figure_text(value: float, unit: str) -> str:
    """A figure with its unit's usual decimals and sign: ``53.2%``, ``−8.3%``, ``4,852``.

    Parameters
    ----------
    value : float
        The figure; a missing one gives a dash.
    unit : str
        The measure's unit.
    """
    if pd.isna(value):
        return "–"
    text = f"{abs(value):,.{decimals(value, unit)}f}"
    if unit in ("percent", "percent change", "index") and text.endswith(".0"):
        text = text[:-2]
    # A value that rounds to nothing has no sign.
    sign = "−" if value < 0 and text.strip("0.") else ""
    if unit == "percent change" and value > 0 and text.strip("0."):
        sign = "+"
    return f"{sign}{text}{'%' if unit in ('percent', 'percent change') else ''}"


def signed(value: float, decimals: int = 1) -> str:
    """A difference with its sign: ``+1.7``, ``−0.4``, ``0.0``; a missing one gives a dash."""
    if pd.isna(value):
        return "–"
    text = f"{abs(value):,.{decimals}f}"
    return text if not text.strip("0.") else f"{'+' if value > 0 else '−'}{text}"


def difference_text(value: float, unit: str, signed: bool = True, named: bool = False) -> str:
    """A difference in a unit: ``−0.24`` or, named, ``0.24 percentage points``.

    Parameters
    ----------
    value : float
        The difference; a missing one gives a dash.
    unit : str
        The unit of what differs; percentages differ by percentage points.
    signed : bool
        Whether its sign is shown.
    named : bool
        Whether the unit follows, and the figure has one decimal, as in a sentence.
    """
    if pd.isna(value):
        return "–"
    points = unit in ("percent", "percent change", "percentage points")
    decimals = 2 if points and not named else 0 if float(value).is_integer() and not points else 1
    text = f"{abs(value):,.{decimals}f}"
    if signed and text.strip("0.,"):
        text = ("−" if value < 0 else "+") + text
    return f"{text} {'percentage points' if points else unit}" if named else text


def with_unit(value: float, unit: str) -> str:
    """A figure followed by its unit where the figure does not carry it."""
    text = figure_text(value, unit)
    plain = unit in ("percent", "percent change", "index") or pd.isna(value)
    return text if plain else f"{text} {of_one(unit) if text == '1' else unit}"


def of_one(unit: str) -> str:
    """A unit as it reads after 1: ``person``, ``casualty``, ``visit per 1,000 residents``."""
    what, per, rest = unit.partition(" per ")
    if what == "people":
        what = "person"
    elif what.endswith("ies"):
        what = what.removesuffix("ies") + "y"
    elif what.endswith("s"):
        what = what.removesuffix("s")
    return what + per + rest


def state_text(row: pd.Series) -> str:
    """``At risk (forecast): made 72% of the improvement planned by then``."""
    forecast = " (forecast)" if row["is_forecast"] and row["state"] in STATE_SIGNS else ""
    return f"{str(row['state']).capitalize()}{forecast}: {row['reason']}"


#: A chance that moved by less since the last report is not worth a reader's time: smaller moves
#: come with every simulation and with the figures of other measures.
CHANCE_MOVED = 0.05


def sentences(
    row: pd.Series, before: pd.Series | None = None, reward: pd.Series | None = None
) -> str:
    """Where a measure stands, how likely its target is, what is at stake, and what has changed.

    Parameters
    ----------
    row : pandas.Series
        A row of the assessment.
    before : pandas.Series, optional
        Its row in the report of the quarter before; without it nothing is said of changes.
    reward : pandas.Series, optional
        Its row of :func:`psa_analysis.grant.grants`, where it counts for the grant.
    """
    said = [_standing_text(row), _stake_text(row, reward)]
    said.append(_change_since_text(row, before))
    return ". ".join(filter(None, said)) + "."


def further_sentences(
    row: pd.Series, before: pd.Series | None = None, reward: pd.Series | None = None
) -> str:
    """The range of the forecast, what is still to be done, the direction, and what is not known.

    Parameters
    ----------
    row, before, reward : pandas.Series
        As for :func:`sentences`; an empty text where there is nothing more to say.
    """
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


def pot_text(least: float, most: float) -> str:
    """Two shares of the pot as one text: ``6.7%``, ``0.1 to 0.5%``, ``under 0.1 to 1.2%``."""

    def share(value: float) -> str:
        text = f"{100 * value:.1f}"
        return "under 0.1" if value > 0 and text == "0.0" else text.removesuffix(".0")

    low, high = share(least), share(most)
    return f"{low}%" if low == high else f"{low} to {high}%"


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


def chance_text(chance: float) -> str:
    """A chance in whole per cent, or ``under 1%`` or ``over 99%``.

    Parameters
    ----------
    chance : float
        0 to 1; a missing one gives a dash.
    """
    if pd.isna(chance):
        return "–"
    if chance < 0.01:
        return "under 1%"
    if chance > 0.99:
        return "over 99%"
    # Rounded down, so that no figure seems to have passed a threshold that its chance has not.
    return f"{int(100 * chance + 1e-9)}%"


def range_text(least: float, most: float, decimals: int = 0) -> str:
    """Two shares as one text in per cent: ``30%``, ``2 to 8%``; a dash where they are missing."""
    if pd.isna(least):
        return "–"
    low, high = f"{100 * least:.{decimals}f}", f"{100 * most:.{decimals}f}"
    return f"{low}%" if low == high else f"{low} to {high}%"


def pounds_text(least: float, most: float) -> str:
    """Two sums as one text: ``£40,000``, ``£10,000 to £40,000``; a dash where they are missing."""
    if pd.isna(least):
        return "–"
    low, high = f"£{least:,.0f}", f"£{most:,.0f}"
    return low if low == high else f"{low} to {high}"


def reliability_words(table: pd.DataFrame) -> str:
    """Of the forecasts that said so many per cent, how many came true: a sentence a line.

    Parameters
    ----------
    table : pandas.DataFrame
        As :func:`psa_analysis.backtest.reliability` gives it.
    """
    return "\n".join(
        f"Of the {row.forecasts:,} forecasts that said {100 * row.said_from:.0f} to "
        f"{100 * row.said_to:.0f}%, {row.came_true:.0%} came true."
        for row in table.itertuples()
    )


def change_text(value: object, what: str, unit: str) -> str:
    """What stood or stands there, of a row of :func:`psa_analysis.comparison.changes`.

    Parameters
    ----------
    value : object
        ``before`` or ``after``; a missing one gives a dash.
    what, unit : str
        The row's.
    """
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


def listed(names: list[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    return " and ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else "".join(names)


def counted(number: int, noun: str) -> str:
    """``1 target``, ``2 targets``."""
    plural = noun if noun.endswith("s") else f"{noun}s"
    return f"{number} {noun if number == 1 else plural}"


#: The quartiles, best first.
QUARTILES = {1: "top", 2: "second", 3: "third", 4: "bottom"}


def points_text(size: float, unit: str) -> str:
    """A difference in a unit: ``0.8 percentage points``, ``12 casualties``."""
    unit = "percentage points" if unit == "percent" else unit
    text = with_unit(abs(size), unit).strip()
    if size and not figure_text(abs(size), unit).strip("0."):
        return text.replace("0.0", "under 0.1", 1)
    return text


def standing_sentences(row: pd.Series, area: str, unit: str) -> str:
    """Where the agreement's area stands in its family.

    Parameters
    ----------
    row : pandas.Series
        A row of the standings that has an edge.
    area : str
        The agreement's area.
    unit : str
        The unit of the figures.
    """
    made_up = "Illustrative figures. " if row["illustrative"] else ""
    edge = figure_text(row["edge"], unit)
    counted_of = f"{row['ranked']} of {row['family']} authorities whose figures count"
    if row["reason"]:
        said = [
            f"Of the {counted_of}, the top quartile begins at {edge} in {row['period']}; "
            f"{row['reason']}"
        ]
    else:
        shared = f", shared with {counted(row['tied'], 'other')}," if row["tied"] else ""
        said = [
            f"{area} has {with_unit(row['figure'], unit).strip()} for {row['period']}: place "
            f"{row['place']:.0f}{shared} among the {counted_of}, and in the "
            f"{QUARTILES[row['quartile']]} quartile",
            f"The top quartile begins at {edge}{_distance_text(row['inside'], unit, area)}",
        ]
    if row["missing"]:
        said.append(f"No figure had come in from {listed(list(row['missing']))}")
    if row["left_out"]:
        said.append(f"Left out as doubtful: {listed(list(row['left_out']))}")
    if row["spans"]:
        said.append(
            f"Chance alone allows {figure_text(row['lower'], unit)} to "
            f"{figure_text(row['upper'], unit)} around this figure, and the edge of the top "
            "quartile lies within that, so which side of it the area is on is not certain"
        )
    return made_up + ". ".join(said) + "."


def _distance_text(inside: float, unit: str, area: str) -> str:
    if not inside:
        return f", exactly where {area} is"
    return f"; {area} is {points_text(inside, unit)} {'inside' if inside > 0 else 'outside'} it"


def effectiveness_sentences(made: Effectiveness, index: pd.Series) -> str:
    """A few sentences on the cost-effectiveness of all components together.

    Parameters
    ----------
    made : Effectiveness
        As :func:`psa_analysis.effectiveness.effectiveness` gives it, of at least one component.
    index : pandas.Series
        The register's row of the measure that is this index.
    """
    count = counted(made.components["component"].nunique(), "component")
    first = made.years[0]
    later = made.overall[made.overall["year"] != first]
    known = later[later["ratio"].notna()]
    said = [] if len(later) else [f"No year after {first} has ended yet"]
    if len(known):
        last = known.iloc[-1]
        said += _together(last, index, f"In {last['year']} the {count} together", first)
        own = made.components[made.components["year"] == last["year"]]
        said.append(_apart(own.set_index("component")["ratio"]))
    for row in later[later["ratio"].isna()].itertuples():
        lacking = row.missing.split("; ")
        who = listed(lacking) if len(lacking) < 4 else f"{len(lacking)} components"
        said.append(f"For {row.year} there is no index yet: {who} lack{'s' * (len(lacking) == 1)} "
                    "something")  # fmt: skip
    if made.overall["illustrative"].any():
        said.append("The figures are illustrative")
    return ". ".join(said) + "."


def _together(last: pd.Series, index: pd.Series, who: str, first: str) -> list[str]:
    """Where the index of all components stands, and what that is of the target."""
    ratio, performance, cost, difference = (
        figure_text(last[name], "index") for name in ("ratio", "performance", "cost", "difference")
    )
    said = [
        f"{who} stood at {ratio}, where {first} is 100: performance at {performance} over cost, "
        f"in the prices of {first}, at {cost}"
    ]
    gained = figure_text(abs(last["ratio"] - 100), "index")
    way = "gained" if last["ratio"] >= 100 else "lost"
    moved = f"Points {way}: {gained}"
    if pd.notna(index["target"]):
        asked = figure_text(index["target"] - 100, "index")
        moved += f"; the target asks for {asked} to be gained by {index['due']}"
    said.append(f"{moved}. Read as a difference, performance less cost, it is {difference}")
    if pd.notna(last["returned"]):
        agree = abs(last["ratio"] - last["returned"]) <= AGREES_WITHIN + 1e-9
        same = "the same" if agree else "another one: the page on data quality says what to ask"
        returned = figure_text(last["returned"], "index")
        said.append(f"The index that was returned for {last['year']}, {returned}, is {same}")
    return said


def _apart(ratios: pd.Series) -> str:
    """The components that stand highest and lowest, and how many have lost."""
    ends = [f"{name} {figure_text(ratios[name], 'index')}"
            for name in (ratios.idxmax(), ratios.idxmin())]  # fmt: skip
    lost = counted(int((ratios < 100).sum()), "component")
    return f"Highest stands {ends[0]}, lowest {ends[1]}, and {lost} below 100"


def level_text(value: float, unit: str) -> str:
    """A mean or limit: as :func:`figure_text`, but large counts in whole numbers."""
    counted_in = unit not in _DECIMALS and abs(value) >= 100
    return figure_text(round(value) if counted_in else value, unit)


def control_sentences(control: Control) -> str:
    """What a control chart shows, in a few sentences.

    Parameters
    ----------
    control : Control
        As :func:`psa_analysis.pipeline.control_of` gives it.
    """
    if control.reason:
        return f"No control chart: {control.reason}."
    points, unit = control.points, control.unit
    last = points.iloc[-1]
    known = points["value"].notna()
    phase = points[points["phase"] == last["phase"]]
    since = f" since {phase['period'].iloc[0]}" if last["phase"] else ""
    said = [
        f"{counted(int(known.sum()), 'quarter')} up to {last['period']}: the mean{since} is "
        f"{level_text(last['centre'], unit)}, and ordinary variation runs from "
        f"{level_text(last['lower'], unit)} to {level_text(last['upper'], unit)}"
    ]
    signs = _control_signs(control)
    found = (
        f"Signs that something has changed: {'; '.join(signs)}"
        if signs
        else "There is no sign of anything but ordinary variation"
    )
    if pd.notna(control.season):
        found += (
            f". But read this with care: beside any drift, the time of year explains about "
            f"{control.season:.0%} of how the quarters differ, so a figure near a limit may be the "
            "season alone, and the wide limits may hide a change"
        )
    said.append(found)
    if last["trial"]:
        said.append(
            f"With {counted(int(phase['value'].notna().sum()), 'quarter')}, fewer than "
            f"{control.rules.trial_below}, these are trial limits, which each new quarter moves"
        )
    said += _rebase_texts(control)
    if control.assurance:
        said.append(_assurance_text(control))
    missing = points.loc[~known, "period"].tolist()
    if missing:
        said.append(f"There is no figure for {listed(missing)}")
    if last["flag"] == "provisional":
        said.append(f"The figure for {last['period']} is provisional and may still change")
    return ". ".join(said) + "."


def _control_signs(control: Control) -> list[str]:
    """Each sign of a special cause: which quarters, by which rule, and which way it points."""
    rules, points = control.rules, control.points
    texts = {
        ("outside", 1): "above the upper limit",
        ("outside", -1): "below the lower limit",
        ("run", 1): f"in a run of {rules.run} or more above the mean",
        ("run", -1): f"in a run of {rules.run} or more below the mean",
        ("trend", 1): f"in a row of {rules.trend} or more, each higher than the one before",
        ("trend", -1): f"in a row of {rules.trend} or more, each lower than the one before",
        ("two_in_three", 1): "close to the upper limit, two in three quarters",
        ("two_in_three", -1): "close to the lower limit, two in three quarters",
    }
    signs = []
    for (rule, sign), text in texts.items():
        marked = points[rule] == sign
        # A new stretch begins where the mark, or the phase, does.
        begins = marked & ~(marked.shift(fill_value=False) & ~points["phase"].diff().astype(bool))
        for _, stretch in points[marked].groupby(begins.cumsum()[marked]):
            first, last = stretch["period"].iloc[0], stretch["period"].iloc[-1]
            quarters = first if first == last else f"{first} to {last}"
            kinds = stretch["kind"].unique()
            kind = f" ({kinds[0]})" if len(kinds) == 1 else ""
            signs.append((stretch.index[0], f"{quarters}, {text}{kind}"))
    return [text for _, text in sorted(signs)]


def _rebase_texts(control: Control) -> list[str]:
    """Where mean and limits start anew, where they cannot, and why."""
    said = [
        f"Mean and limits start anew at {one.period}: {one.reason.rstrip('.')}"
        for one in control.rebases
    ]
    said += [
        f"Mean and limits do not start anew at {one.period} ({one.reason.rstrip('.')}): {why}"
        for one, why in control.refused
    ]
    return said


def _assurance_text(control: Control) -> str:
    target = figure_text(control.target, control.unit)
    return {
        "consistently hits": f"The target of {target} lies outside the limits on the good side: "
        "while nothing changes, quarters meet it",
        "consistently misses": f"The target of {target} lies outside the limits: while nothing "
        "changes, no quarter is likely to meet it",
        "unreliable": f"The target of {target} lies within the limits: while nothing changes, "
        "some quarters meet it and some do not, by ordinary variation",
    }[control.assurance]
