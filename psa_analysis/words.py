"""Words: figures, states and short sentences as a reader expects them, from the numbers."""

from __future__ import annotations

import pandas as pd

#: A sign beside each state, so that it is never told by colour alone.
STATE_SIGNS = {
    "achieved": "✔", "partly achieved": "◐", "missed": "✘",
    "on track": "●", "at risk": "▲", "off track": "✖",
}  # fmt: skip

_DECIMALS = {"percent": 1, "percent change": 1, "percentage points": 1, "index": 1,
             "million journeys": 2, "per 1,000 residents": 1}  # fmt: skip


#: Characters that nobody sees, with what is shown for each: control characters have pictures of
#: their own, and those that turn the direction of all that follows are named.
_UNSEEN: dict[int, int | str] = {
    **{code: 0x2400 + code for code in range(32) if chr(code) not in "\t\n\r"},
    **{code: f"[U+{code:04X}]" for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A))},
    0x7F: 0x2421, 0xFFFE: 0xFFFD, 0xFFFF: 0xFFFD,
}  # fmt: skip


def visible(text: str) -> str:
    """A text in which nothing is hidden: what XML cannot hold, or would turn the rest around."""
    return text.translate(_UNSEEN)


def decimals(value: float, unit: str) -> int:
    """How many decimals a figure of a unit usually has; none for a whole count."""
    whole = float(value).is_integer() and unit not in _DECIMALS
    return 0 if whole else _DECIMALS.get(unit, 1)


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
    elif row["missing"]:
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
