"""Words: figures, states and short sentences as a reader expects them, from the numbers."""

from __future__ import annotations

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
    return text if plain else f"{text} {unit}"


def state_text(row: pd.Series) -> str:
    """``At risk (forecast): made 72% of the improvement planned by then``."""
    forecast = " (forecast)" if row["is_forecast"] and row["state"] in STATE_SIGNS else ""
    return f"{str(row['state']).capitalize()}{forecast}: {row['reason']}"


def sentences(row: pd.Series) -> str:
    """Two or three sentences on one row of the assessment.

    Parameters
    ----------
    row : pandas.Series
        A row of the assessment.
    """
    unit = str(row["unit"])
    said = []
    if pd.notna(row["latest"]):
        flag = "" if row["latest_flag"] in ("final", "revised") else f" ({row['latest_flag']})"
        latest = with_unit(row["latest"], unit)
        first = f"The latest reading is {latest} for {row['latest_period']}{flag}"
        if pd.notna(row["planned"]):
            first += f"; the planned path stands at {figure_text(row['planned'], unit)} by then"
            first += _months_text(row["gap_months"])
        said.append(first)
    elif row["latest_flag"] == "withheld":
        said.append(f"The latest reading, for {row['latest_period']}, is {row['missing']}")
    if pd.notna(row["target"]):
        said.append(f"The target is {with_unit(row['target'], unit)} by {row['due']}")
    if pd.notna(row["forecast"]):
        said.append(
            f"The forecast for {row['due']} is {figure_text(row['forecast'], unit)}, with eight in "
            f"ten chances between {figure_text(row['low_80'], unit)} and "
            f"{figure_text(row['high_80'], unit)}"
        )
    said.append(state_text(row))
    if row["is_forecast"] and pd.notna(row["required"]) and row["required"]:
        said.append(_required_text(row))
    if pd.notna(row["direction"]):
        moved = f"It is {_than(row['direction'])} the reading before ({row['previous_period']})"
        if pd.notna(row["direction_on_year"]):
            moved += f" and {_than(row['direction_on_year'])} a year earlier"
        said.append(moved)
        if row["latest_flag"] == "provisional":
            said.append("A provisional figure may still be revised, so the change may too")
    if row["late"]:
        said.append(f"The return for {row['expected_period']} had not come in by the cut-off")
    elif row["missing"] and row["latest_flag"] != "withheld":
        said.append(f"No reading can be made for the newest period: {row['missing']}")
    return ". ".join(said) + "."


def _months_text(months: float) -> str:
    """How far ahead of the path or behind it, in whole months."""
    whole = 0 if pd.isna(months) else round(abs(months))
    if not whole:
        return ""
    return f", about {counted(whole, 'month')} {'ahead' if months > 0 else 'behind'}"


def _required_text(row: pd.Series) -> str:
    """What each quarter or year has to bring from here, and whether that was ever done."""
    unit = str(row["unit"])
    points = unit in ("percent", "percent change", "percentage points")
    size = figure_text(abs(row["required"]), "percentage points" if points else unit)
    named = "percentage points" if points else "points" if unit == "index" else unit
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
    """What stood or stands there, of a row of :func:`psa_analysis.changes.changes`.

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
