"""Cells: what people type where a figure should be, taken apart into value, flag and note.

The symbols are the Government Analysis Function's (``[p]``, ``[r]``, ``[x]`` …) and what is typed
in their place (``77(r)``, ``10.96% (2005 provisional)``, ``TBC``). What has no certain meaning is a
problem with the words to ask the sender; nothing is guessed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache


@dataclass(frozen=True)
class Cell:
    """What one cell says.

    Attributes
    ----------
    value : float or None
        The figure as written: ``18.36m`` is 18.36 with `multiplier` 1,000,000.
    multiplier : int
        1, 1,000, 1,000,000 or 1,000,000,000, from a letter after the figure.
    percent : bool
        Whether a percentage sign stood beside it.
    flag : str or None
        ``provisional``, ``revised``, ``estimated``, ``final`` or ``suppressed``, if it says so.
    note : str
        The words beside the figure.
    awaited : bool
        There is no figure yet, or none is available: nothing is wrong, but someone must ask.
    problem : str or None
        What is expected instead, where the cell cannot be read for certain.
    """

    value: float | None = None
    multiplier: int = 1
    percent: bool = False
    flag: str | None = None
    note: str = ""
    awaited: bool = False
    problem: str | None = None


FLAGS = ["final", "provisional", "revised", "estimated", "suppressed"]

#: Letters after a figure, bare or in brackets.
FLAG_LETTERS = {"p": "provisional", "r": "revised", "e": "estimated"}
_FLAG_WORDS = {
    "provisional": "provisional",
    "prov": "provisional",
    "revised": "revised",
    "rev": "revised",
    "estimate": "estimated",
    "estimated": "estimated",
    "est": "estimated",
    "final": "final",
}
_NOTE_LETTERS = {"b": "break in the series", "u": "low reliability"}
_MULTIPLIERS = {
    "k": 10**3,
    "thousand": 10**3,
    "m": 10**6,
    "mn": 10**6,
    "million": 10**6,
    "bn": 10**9,
    "billion": 10**9,
}

#: Confidential, or kept back because it is small.
_SUPPRESSED = {"c", "[c]", "(c)", "*", "[*]", "suppressed", "confidential", "[low]"}
#: No figure exists or none can be had; ``z`` and ``[z]`` say that none applies.
_UNAVAILABLE = {
    "x",
    "[x]",
    "(x)",
    "..",
    "…",
    ":",
    "n/a",
    "na",
    "n.a.",
    "#n/a",
    "not available",
    "no data",
    "z",
    "[z]",
    "(z)",
    "not applicable",
    "not collected",
}
_AWAITED = re.compile(
    r"tb[cad]|to be (?:confirmed|advised|announced)|await\w*( .*)?|not yet (?:known|available)"
    r"|pending|to follow|due (?:in )?\w+( \d{4})?",
    re.IGNORECASE,
)
_SMALL = re.compile(r"(?:<|&lt;|under|less than|fewer than)\s*\d{1,2}", re.IGNORECASE)

_NUMBER = r"(?:\d{1,3}(?:,\d{3})+|\d{1,15})(?:\.\d{1,15})?|\.\d{1,15}"
_FIGURE = re.compile(
    rf"""(?P<open>\()?\s*(?P<sign>-)?\s*(?P<currency>£)?\s*(?P<sign2>-)?\s*(?P<number>{_NUMBER})
         \s*(?P<percent>%)?\s*(?P<times>k|thousand|mn|million|m|bn|billion)?\s*(?P<percent2>%)?
         \s*(?P<close>\))?""",
    re.VERBOSE | re.IGNORECASE | re.ASCII,
)
_PLAIN = re.compile(r"-?[0-9]{1,15}(?:\.[0-9]{1,15})?")
_LETTER = re.compile(r"\(([A-Za-z])\)|\[([A-Za-z])\]|([A-Za-z])")
_IN_BRACKETS = re.compile(r"[(\[](?P<inside>[^()\[\]]+)[)\]]")

EXPECTED = "a figure such as 1234.5, or a symbol such as [x] for none"
_DASHES = {"-", "--", "—", "–", "nil", "none"}


def plain_number(text: str) -> float | None:
    """The number of a text that is nothing else: no 1e5, nan or inf."""
    return float(text) if _PLAIN.fullmatch(text) else None


@lru_cache(maxsize=65536)
def read_cell(text: str) -> Cell:
    """Read one cell."""
    clean = " ".join(text.replace("\u00a0", " ").replace("−", "-").split())
    folded = clean.casefold()
    if not clean:
        return Cell()
    if folded in _SUPPRESSED or _SMALL.fullmatch(clean):
        return Cell(flag="suppressed", note=clean)
    if folded in _UNAVAILABLE or _AWAITED.fullmatch(clean):
        return Cell(awaited=True, note=clean)
    if folded in _DASHES:
        return Cell(problem="0 for a count of none or [x] for not available: this may mean either")
    if clean.startswith("="):
        return Cell(problem="the formula's value: open the workbook, let it calculate, save it")
    if clean.startswith("#"):
        return Cell(problem="a figure: this is a spreadsheet's error")
    match = _FIGURE.match(clean)
    if match is None:
        return Cell(problem=EXPECTED)
    return _with_rest(match, clean[match.end() :].strip())


def _with_rest(match: re.Match[str], rest: str) -> Cell:
    """A figure and what follows it."""
    opened, closed = match["open"] is not None, match["close"] is not None
    negative = (match["sign"] or match["sign2"]) is not None
    if opened != closed or (opened and negative) or (match["sign"] and match["sign2"]):
        return Cell(problem=EXPECTED)
    value = float(match["number"].replace(",", ""))
    times = _MULTIPLIERS[(match["times"] or "").casefold()] if match["times"] else 1
    percent = (match["percent"] or match["percent2"]) is not None
    if percent and times != 1:
        return Cell(problem="a percentage or an amount, not both")
    # Accountants write a negative figure in brackets.
    value = -value if negative or opened else value
    figure = Cell(value, times, percent)
    if not rest:
        return figure
    if rest in ("*", "†", "‡"):
        return Cell(value, times, percent, note=f"marked {rest} by the sender")
    if letter := _LETTER.fullmatch(rest):
        return _with_letter(figure, next(group for group in letter.groups() if group).casefold())
    if inside := _IN_BRACKETS.fullmatch(rest):
        return _with_words(figure, inside["inside"].strip())
    if rest.casefold() in _FLAG_WORDS:
        return _with_words(figure, rest)
    return Cell(problem="one plain figure, with words about it in brackets")


def _with_letter(figure: Cell, letter: str) -> Cell:
    if letter in FLAG_LETTERS:
        return Cell(figure.value, figure.multiplier, figure.percent, flag=FLAG_LETTERS[letter])
    if letter in _NOTE_LETTERS:
        return Cell(figure.value, figure.multiplier, figure.percent, note=_NOTE_LETTERS[letter])
    if letter == "f":
        return Cell(problem="what was observed: [f] marks a forecast")
    return Cell(problem=f"one of the marks (p), (r), (e), (b), (u): '{letter}' is none of them")


def _with_words(figure: Cell, words: str) -> Cell:
    if re.fullmatch(r"[0-9]+", words):
        return Cell(problem="the figure without a footnote's number")
    found = {
        _FLAG_WORDS[word] for word in re.findall(r"[a-z]+", words.casefold()) if word in _FLAG_WORDS
    }
    if len(found) > 1:
        return Cell(problem=f"one flag, not {' and '.join(sorted(found))}")
    if re.search(r"forecast|projected|target", words, re.IGNORECASE):
        return Cell(problem="what was observed, not a forecast or target")
    flag = next(iter(found), None)
    return Cell(figure.value, figure.multiplier, figure.percent, flag=flag, note=words)
