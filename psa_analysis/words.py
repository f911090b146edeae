"""Words: figures, states and lists as a reader expects them."""

import re
from datetime import date
from decimal import ROUND_HALF_UP, Decimal

import pandas as pd

#: What the register says of a figure that no document states.
NOT_STATED = "not stated"

#: Why a figure is missing from a public report.
NOT_SHOWN = "not shown: small numbers"

#: Numbers that read as words in a sentence.
NUMBERS = ["No", "One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine", "Ten"]
NUMBERS += ["Eleven", "Twelve"]

#: Decimals of units whose figures have them even where they are whole.
_DECIMALS = {
    **dict.fromkeys(("percent", "percent change", "percentage points", "index"), 1),
    **{"million journeys": 2, "million pounds": 1, "per 1,000 residents": 1},
}


def decimals(value: float, unit: str, stated: int = 0) -> int:
    """How many decimals a figure has: the usual ones of its unit, or those that are stated."""
    large = unit not in _DECIMALS and (float(value).is_integer() or abs(value) >= 100)
    # A rate of thousands is no more exact than the thousands are.
    usual = 0 if large or abs(value) >= 1000 else _DECIMALS.get(unit, 1)
    return max(usual, stated) if stated > 1 or not float(value).is_integer() else usual


def fixed(value: float, decimals: int = 0) -> str:
    """A number without its sign, to so many decimals; halves go up: ``62.3`` for 62.25."""
    if not abs(value) < 1e14:
        return f"{abs(value):,.{decimals}f}"
    # Binary floats end in digits that nobody wrote.
    rounded = Decimal(f"{abs(value):.14g}").quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_UP)
    return f"{rounded:,f}"


def day_text(day: date) -> str:
    """A day as a reader expects it: ``14 February 2005``."""
    return f"{day.day} {day:%B %Y}"


def figure_text(value: float, of: str | pd.Series) -> str:
    """A figure as its unit, or its row with unit and decimals, has it: ``53.2%``, ``4,852``."""
    if pd.isna(value):
        return "–"
    unit, stated = (of, 0) if isinstance(of, str) else (of["unit"], int(of.get("decimals", 0)))
    text = fixed(value, decimals(value, unit, stated))
    if unit in ("percent", "percent change", "index"):
        text = text.removesuffix(".0")
    sign = "−" if value < 0 else "+" if unit == "percent change" else ""
    # A value that rounds to nothing has no sign.
    sign = sign if text.strip("0.") else ""
    return f"{sign}{text}{'%' if unit in ('percent', 'percent change') else ''}"


def decimals_apart(value: float, other: float, unit: str, stated: int) -> int:
    """How many decimals, `stated` at least, a figure needs not to look equal to another."""
    for more in range(stated, 9):
        shown = decimals(value, unit, more)
        if fixed(value, shown) != fixed(other, shown):
            return more
    return stated


def signed(value: float, decimals: int = 1) -> str:
    """A difference with its sign: ``+1.7``, ``−0.4``, ``0.0``; a missing one gives a dash."""
    if pd.isna(value):
        return "–"
    text = fixed(value, decimals)
    return text if not text.strip("0.") else f"{'+' if value > 0 else '−'}{text}"


def difference_text(value: float, unit: str) -> str:
    """A difference with its sign and its unit's decimals: ``−0.24`` percentage points, ``+12``."""
    if unit_of_difference(unit) == "percentage points":
        return signed(value, 2)
    return signed(value, 0 if float(value).is_integer() else 1)


def with_unit(value: float, of: str | pd.Series) -> str:
    """A figure followed by its unit where the figure does not carry it."""
    text, unit = figure_text(value, of), of if isinstance(of, str) else str(of["unit"])
    if unit == "level" and pd.notna(value):
        return f"level {text}"
    plain = unit in ("percent", "percent change", "index") or pd.isna(value)
    return text if plain else f"{text} {of_one(unit) if text == '1' else unit}"


def target_text(row: pd.Series) -> str:
    """The target of a row of the assessment with its unit: ``63%``, ``6 to 8 days``."""
    if pd.isna(row["target"]):
        return "none" if row["rule"] == "none" else NOT_STATED
    if pd.isna(row["target_to"]):
        return with_unit(row["target"], row)
    return f"{figure_text(row['target'], row)} to {with_unit(row['target_to'], row)}"


def tolerance_text(row: pd.Series) -> str:
    """``tolerance 5%: within``, ``tolerance 2: met``; nothing where no tolerance judges."""
    judged = row["by_tolerance"]
    return f"tolerance {row['tolerance']}: {judged.split()[0]}" if pd.notna(judged) else ""


def amount_text(size: float, unit: str) -> str:
    """An amount in a unit, without a decimal of nothing: ``2 percentage points``, ``1 person``."""
    text = figure_text(size, unit).removesuffix(".0")
    named = "points" if unit == "index" else unit
    return f"{text} {of_one(named) if text == '1' else named}"


def of_one(unit: str) -> str:
    """A unit as it reads after 1: ``person``, ``casualty``, ``visit per 1,000 residents``."""
    what, per, rest = unit.partition(" per ")
    one = "person" if what == "people" else re.sub("s$", "", re.sub("ies$", "y", what))
    return one + per + rest


def unit_of_difference(unit: str) -> str:
    """The unit of a difference."""
    return "percentage points" if unit in ("percent", "percent change") else unit


#: A chance that moved by less since the last report is not worth a reader's time: smaller moves
#: come with every simulation and with the figures of other measures.
CHANCE_MOVED = 0.05


def chance_text(chance: float) -> str:
    """A chance in whole per cent, or ``under 1%`` or ``over 99%``."""
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

    def text(share: float) -> str:
        rounded = fixed(100 * share, decimals)
        under = decimals and share > 0 and not rounded.strip("0.")
        return f"under {10**-decimals:.{decimals}f}" if under else rounded if share else "0"

    if pd.isna(least):
        return "–"
    low, high = text(least), text(most)
    return f"{low}%" if low == high else f"{low} to {high}%"


def pounds_text(least: float, most: float) -> str:
    """Two sums as one text: ``£40,000``, ``£10,000 to £40,000``; a dash where they are missing."""
    if pd.isna(least):
        return "–"
    low, high = sum_text(least), sum_text(most)
    return low if low == high else f"{low} to {high}"


def sum_text(pounds: float, plus: str = "") -> str:
    """A sum: ``£40,000``, ``−£40,000``; `plus` is the sign of one above nothing."""
    text = "–" if pd.isna(pounds) else f"£{fixed(pounds)}"
    return text if text in ("–", "£0") else f"{'−' if pounds < 0 else plus}{text}"


def listed(names: list[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    return " and ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else "".join(names)


def as_sentences(texts: list[str]) -> str:
    """Texts as sentences: each begins with a capital and ends with one full stop."""
    return " ".join(f"{text[:1].upper()}{text[1:].rstrip('.')}." for text in texts)


def counted(number: int, noun: str) -> str:
    """``1 target``, ``2 targets``."""
    plural = noun if noun.endswith("s") else f"{noun}s"
    return f"{number} {noun if number == 1 else plural}"


def are(number: int) -> str:
    """``is`` or ``are``, by how many there are."""
    return "is" if number == 1 else "are"


def required_text(row: pd.Series) -> str:
    """What each period or year has to bring from here, and whether that was ever done."""
    unit = str(row["unit"])
    named = "points" if unit == "index" else unit_of_difference(unit).replace(" change", "")
    size = amount_text(abs(row["required"]), named)
    if not size.strip("0. abcdefghijklmnopqrstuvwxyz,"):
        size = f"less than 0.1 {named}"
    steps = {"monthly": "month", "quarterly": "quarter", "termly": "term"}
    of_years = row["basis"] in ("annual", "year_to_date")
    step = "year" if of_years else steps.get(row["frequency"], "year")
    text = f"a {'rise' if row['required'] > 0 else 'fall'} of {size} a {step}"
    if (done := row["required_done_before"]) == "never":
        return f"{text}, not achieved before"
    return f"{text}, last achieved up to {done}" if pd.notna(done) else text
