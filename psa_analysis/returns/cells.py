"""Cells: what people type where a figure should be, taken apart into value, flag and note.

The symbols are the Government Analysis Function's (``[p]``, ``[r]``, ``[x]`` …) and what is typed
in their place (``77(r)``, ``TBC``). What has no certain meaning is a problem; nothing is guessed.
"""

import re
import unicodedata
from dataclasses import dataclass, replace
from functools import lru_cache
from math import inf, isfinite

FLAGS = ["final", "provisional", "revised", "estimated", "suppressed"]


@dataclass(frozen=True)
class Cell:
    """What one cell says."""

    value: float | None = None  # as written: 18.36m is 18.36
    multiplier: int = 1  # 1,000, 1,000,000 or 1,000,000,000, from a letter after the figure
    percent: bool = False  # whether a percentage sign stood beside it
    flag: str | None = None  # one of FLAGS, if it says so
    note: str = ""  # the words beside the figure
    awaited: bool = False  # no figure yet, or none to be had: not wrong, but someone must ask
    problem: str | None = None  # what is expected instead, where it cannot be read for certain


#: What stands after a figure, in brackets or not, for each flag; single letters stand alone.
_FLAG_OF = {
    **dict.fromkeys(("p", "prov", "provisional"), "provisional"),
    **dict.fromkeys(("r", "rev", "revised"), "revised"),
    **dict.fromkeys(("e", "est", "estimate", "estimated"), "estimated"),
    "final": "final",
}
_NOTE_OF = {"b": "break in the series", "u": "low reliability"}
#: By the first letter of k, thousand, m, mn, million, bn and billion.
_MULTIPLIERS = {"k": 10**3, "t": 10**3, "m": 10**6, "b": 10**9}
#: Confidential, or kept back because it is small.
_SUPPRESSED = (
    r"c|\[c\]|\(c\)|\*|\[\*\]|suppressed|confidential|\[low\]"
    r"|(?:<|&lt;|under|less than|fewer than)\s*\d{1,2}"
)
#: No figure exists, or none can be had or applies, or it is still to come.
_AWAITED = (
    r"x|\[x\]|\(x\)|z|\[z\]|\(z\)|\.\.|…|:|#?n/a|na|n\.a\.|no data"
    r"|not (?:available|applicable|collected)|not yet (?:known|available)"
    r"|tb[cad]|to be (?:confirmed|advised|announced)|await\w*( .*)?"
    r"|pending|to follow|due (?:in )?\w+( \d{4})?"
)
_AMBIGUOUS = "0 for none or [x] for not available: this may mean either"
#: What cells that hold no figure say, by the first pattern that fits the whole of one.
_WITHOUT_FIGURE = {
    _SUPPRESSED: Cell(flag="suppressed"),
    _AWAITED: Cell(awaited=True),
    r"-|--|—|–|nil|none": Cell(problem=_AMBIGUOUS),
    r"=.*": Cell(problem="the formula's value: open the workbook, let it calculate, save it"),
    r"#unclear.*": Cell(problem="a figure that has one meaning: write 1234 or 1.2340"),
    r"#format.*": Cell(problem="a figure as it is shown: its format shows another"),
    r"#merged.*": Cell(problem="a figure for each cell: one stands over several"),
    r"#.*|err:\d+": Cell(problem="a figure: this is a spreadsheet's error"),
    r"-?0\d+(\.\d+)?": Cell(problem="a figure that does not begin with 0: is it part of another?"),
    r"-?0,\d+": Cell(problem="a figure whose comma is clear: write 0.5, or 1,500"),
}
#: A number as people and programs write it: 12, 9.3699999999999992, 4.798E-2.
_PLAIN = re.compile(r"-?(?:0|[1-9][0-9]{0,24})(?:\.[0-9]{1,25})?(?:[eE][+-]?[0-9]{1,3})?")
_FIGURE = re.compile(
    r"""\(?\s*-?\s*£?\s*-?\s*(?P<number>(?:[1-9]\d{0,2}(?:,\d{3})+|0|[1-9]\d{0,24})(?:\.\d{1,25})?|\.\d{1,25})
        \s*%?\s*(?P<times>k|thousand|mn|million|m|bn|billion)?\s*%?\s*\)?""",
    re.VERBOSE | re.IGNORECASE | re.ASCII,
)
_LETTER = re.compile(r"\(([a-z])\)|\[([a-z])\]|([a-z])")
_IN_BRACKETS = re.compile(r"[(\[]([^()\[\]]+)[)\]]")
#: Footnotes' numbers after a figure or name; workbooks' superscripts are read as these too.
_FOOTNOTES = "⁰¹²³⁴⁵⁶⁷⁸⁹"
#: Numbers that may stand in words about a figure: years, quarters, numbers of notes.
_NO_FIGURE = re.compile(
    r"\b(?:(?:19|20)\d\d(?:[-/]\d\d)?|q[1-4]|(?:foot)?notes? \d+)\b", re.IGNORECASE
)
_FORECAST = re.compile(
    r"forecast|projecti?|predict|target|\bplan|trajectory|thousand|million", re.I
)
_EXPECTED = "a figure such as 1234.5, or a symbol such as [x] for none"


def plain_number(text: str) -> float | None:
    """The number of a text that is nothing else: no nan or inf."""
    number = float(text) if _PLAIN.fullmatch(text) else inf
    return number if isfinite(number) else None


def without_footnote(text: str) -> str:
    """A text without the number of a footnote at its end."""
    bare = text.rstrip(_FOOTNOTES)
    return text if bare == text else bare.rstrip()


@lru_cache(maxsize=65536)
def read_cell(text: str) -> Cell:
    """Read one cell."""
    clean = " ".join(text.replace("\u00a0", " ").replace("−", "-").split())
    if (bare := without_footnote(clean)) and bare != clean:
        cell = read_cell(bare)
        words = f"footnote {unicodedata.normalize('NFKC', clean[len(bare) :].strip())}"
        return replace(cell, note="; ".join(filter(None, [cell.note, words])))
    if (number := plain_number(clean)) is not None:
        return Cell(number)
    if not clean:
        return Cell()
    for pattern, cell in _WITHOUT_FIGURE.items():
        if re.fullmatch(pattern, clean, re.IGNORECASE):
            return replace(cell, note=clean)
    match = _FIGURE.match(clean)
    if match is None:
        return Cell(problem=_EXPECTED)
    negative = match[0].count("-") + match[0].count("(")  # as accountants write it
    if negative > 1 or match[0].count("(") != match[0].count(")"):
        return Cell(problem=_EXPECTED)
    value = float(match["number"].replace(",", ""))
    times = _MULTIPLIERS[match["times"][0].casefold()] if match["times"] else 1
    if "%" in match[0] and times != 1:
        return Cell(problem="a percentage or an amount, not both")
    figure = Cell(-value if negative else value, times, "%" in match[0])
    rest = clean[match.end() :].strip()
    return _with_rest(figure, rest) if rest else figure


def _with_rest(figure: Cell, rest: str) -> Cell:
    """A figure and the mark or words that follow it."""
    if rest in ("*", "†", "‡"):
        return replace(figure, note=f"marked {rest} by the sender")
    if match := _LETTER.fullmatch(rest.casefold()):
        letter = match[match.lastindex or 0]
        if letter in _FLAG_OF or letter in _NOTE_OF:
            return replace(figure, flag=_FLAG_OF.get(letter), note=_NOTE_OF.get(letter, ""))
        others = f"one of the marks (p), (r), (e), (b), (u), not '{letter}'"
        return Cell(problem="what was observed: [f] marks a forecast" if letter == "f" else others)
    match = _IN_BRACKETS.fullmatch(rest)
    if match is None and rest.casefold() not in _FLAG_OF:
        return Cell(problem="one plain figure, with words about it in brackets")
    words = match[1].strip() if match else rest
    flags = {_FLAG_OF.get(word) for word in re.findall(r"[a-z]{2,}", words.casefold())} - {None}
    for wrong, expected in (
        (re.fullmatch(r"[0-9]+", words), "the figure without a footnote's number"),
        (re.search("[0-9]", _NO_FIGURE.sub("", words)), "one figure: this cell holds two"),
        (_FORECAST.search(words), "what was observed, not a forecast or target"),
        (len(flags) > 1, f"one flag, not {' and '.join(sorted(map(str, flags)))}"),
    ):
        if wrong:
            return Cell(problem=expected)
    return replace(figure, flag=next(iter(flags), None), note=words)
