"""Parts: what districts, schools and other parts add, and what if one were better."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from psa_analysis.analysis.hotspots import SURE, Hotspots, compared_parts
from psa_analysis.analysis.parts import (
    AVERAGE,
    REST,
    Decomposition,
    WhatIf,
    decomposition,
    scenario,
)
from psa_analysis.findings import did_you_mean, shorten
from psa_analysis.register.agreement import rate_factor
from psa_analysis.report import Report, memoised, own_readings
from psa_analysis.show.chart import BLUE, DASHED, GREY, PINK, Chart
from psa_analysis.show.tables import Column, Html, rows_table, sentence
from psa_analysis.show.views import View, no_view
from psa_analysis.words import (
    are,
    chance_text,
    counted,
    difference_text,
    figure_text,
    listed,
    with_unit,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from matplotlib.axes import Axes

#: Colour and shape of a part that is short of what is expected, or as good or better.
_PART_MARKS = {"short": (PINK, "s"), "not short": (BLUE, "o"), "may be chance": (GREY, "D")}


@memoised
def decompose(report: Report, measure: str) -> Decomposition:
    """Take a measure apart at the newest period whose parts had come in by the cut-off."""
    measures = report.agreement.measures.index
    if measure not in measures:
        raise KeyError(f"there is no measure '{measure}'. {did_you_mean(measure, measures)}")
    readings = own_readings(report, measure)
    return decomposition(measure, report.agreement, report.observations, report.known, readings)


@memoised
def hotspots_of(report: Report, measure: str) -> Hotspots:
    """Where parts are better or worse than the whole after allowing for chance.

    A count has nothing that it is of, so its change since another period is looked at: of all the
    events of both periods, the share that fell into the later one.
    """
    return compared_parts(decompose(report, measure))


def by_part(report: Report, measure: str) -> View:
    """What each part adds to the reading of a measure, its change and its gap to the target."""
    decomposed = decompose(report, measure)
    if decomposed.reason:
        return no_view(f"{measure} is not shown by part: {decomposed.reason}.")
    return View(
        words=lambda: sentence(_contributions_text(decomposed)),
        chart=lambda: _contributions_chart(report, decomposed),
        data=decomposed.table,
    )


def hotspots(report: Report, measure: str) -> View:
    """Which parts are better or worse than the whole after allowing for chance."""
    result = hotspots_of(report, measure)
    if result.reason:
        return no_view(f"The parts of {measure} are not compared: {result.reason}.")
    return View(
        words=lambda: sentence(_hotspots_text(result)),
        chart=lambda: _hotspots_chart(result),
        data=result.table,
    )


def what_if_result(report: Report, measure: str, changes: Mapping[str, float | str]) -> WhatIf:
    """What the whole's reading and the chance of its target would be if parts were elsewhere."""
    return scenario(decompose(report, measure), changes, report.outlooks.get(measure))


def what_if(report: Report, measure: str, changes: Mapping[str, float | str]) -> View:
    """What the reading and the chance of the target would be if these parts were elsewhere.

    Notes
    -----
    Every draw of the due reading is moved by the same number of points, since what the parts gain
    comes on top of whatever the others do; none goes beyond 0 or 100 per cent.
    """
    result = what_if_result(report, measure, changes)
    if result.reason:
        return no_view(f"{measure} is not shown by part: {result.reason}.")
    return View(
        words=lambda: sentence(_what_if_text(result, changes)),
        table=lambda: _what_if_table(result),
        data=result.table,
    )


def _part_name(name: str) -> str:
    return name[:1].upper() + name[1:]


def _size_text(size: float, unit: str) -> str:
    """A difference without its sign: ``2.3 percentage points``."""
    return difference_text(abs(size), unit, signed=False, named=True)


def _by_part(decomposed: Decomposition) -> str:
    return f"{decomposed.definition['title']} by {decomposed.kind}{decomposed.other_kinds}"


def _illustrative(decomposed: Decomposition) -> str:
    return " (illustrative)" if decomposed.illustrative else ""


def _illustrative_figures(decomposed: Decomposition) -> str:
    return " Illustrative figures." if decomposed.illustrative else ""


def _counts(heading: str, name: str) -> Column:
    return Column.number(heading, lambda row: figure_text(row[name], ""))


def _differences(heading: str, name: str) -> Column:
    return Column.number(heading, lambda row: difference_text(row[name], row["unit"]))


_PART = Column("Part", lambda row: _part_name(row["part"]))
_HOTSPOT_COLUMNS = [
    _PART,
    Column.figure("As observed", "observed"),
    Column.figure("Allowing for chance", "shrunken"),
    Column.between("95 in 100 chances", "lower", "upper"),
]


def _contributions_text(decomposed: Decomposition) -> str:
    """Which parts make up the gap to the target, and what the change came from."""
    parts, level = decomposed.named, with_unit(decomposed.level, decomposed.unit)
    sentences = [
        f"{decomposed.definition['title']}, {decomposed.period}: {level}, made up of "
        f"{counted(len(parts), decomposed.kind)}{decomposed.other_kinds}{_illustrative(decomposed)}"
    ]
    if parts["gap"].notna().all():
        sentences += _gap_sentences(decomposed)
    if decomposed.since:
        sentences.append(_change_text(decomposed))
    rest = decomposed.table.loc[decomposed.table["part"] == REST, "level"]
    if len(rest):
        adds = difference_text(rest.iloc[0], decomposed.unit)
        sentences.append(f"What the parts do not hold adds {adds} to the reading")
    if decomposed.missing:
        missing = listed(list(decomposed.missing))
        sentences.append(f"Without a figure, and so no part of this: {missing}")
    return ". ".join(sentences) + "."


def _gap_sentences(decomposed: Decomposition) -> list[str]:
    """How far the whole is from the target, and the parts that most of it comes from."""
    parts, better, unit = decomposed.named, decomposed.better, decomposed.unit
    target, gap = with_unit(decomposed.target, unit), decomposed.level - decomposed.target
    if better * gap >= 0:
        return [f"The target of {target} is reached"]
    size, side = _size_text(gap, unit), "below" if gap < 0 else "above"
    sentences = [f"That is {size} {side} the target of {target}"]
    short = parts[better * parts["gap"] < 0]
    largest = short.loc[(better * short["gap"]).sort_values(kind="stable").index[:3]]
    sizes = [difference_text(abs(gap), unit, signed=False) for gap in largest["gap"]]
    if sizes:
        names = listed(list(largest["part"].map(_part_name) + " with " + sizes))
        sentences.append(
            f"The largest {'parts' if len(sizes) > 1 else 'part'} of this gap {are(len(sizes))} "
            f"{names}; {len(short)} of {counted(len(parts), decomposed.kind)} {are(len(short))} "
            "short of the target"
        )
    return sentences


def _change_text(decomposed: Decomposition) -> str:
    """Which way the whole moved, and for a rate how far its parts moved or their sizes did."""
    change, unit = decomposed.level - decomposed.before, decomposed.unit
    if not change:
        return f"It is the same as in {decomposed.since}"
    verb = "risen" if change > 0 else "fallen"
    text = f"Since {decomposed.since} it has {verb} by {_size_text(change, unit)}"
    if rate_factor(unit) is None:
        return text
    moved = decomposed.table[["within", "mix"]].sum()
    within, mix = (difference_text(size, unit) for size in moved)
    parts = counted(2, decomposed.kind).removeprefix("2 ")
    return f"{text}: {within} because the rates of the {parts} moved, {mix} because their sizes did"


def _contributions_table(report: Report, decomposed: Decomposition) -> Html:
    """What each part adds to the reading, its change and its gap; the whole stands last."""
    unit, since = decomposed.unit, decomposed.since
    rate = rate_factor(unit) is not None
    rows = decomposed.table.assign(last=decomposed.table["part"] == REST)
    rows["order"] = decomposed.better * rows["level" if np.isnan(decomposed.target) else "gap"]
    rows = rows.sort_values(["last", "order"], kind="stable")
    whole = rows.loc[:, "level":"gap_to_path"].sum(skipna=False).round(11).to_dict()
    whole |= decomposed.whole[["numerator", "denominator", "numerator_before"]].to_dict()
    whole |= {"part": decomposed.area, "rate": decomposed.level}
    rows = pd.concat([rows, pd.DataFrame([whole])], ignore_index=True).assign(unit=unit)
    rows["part"] = rows["part"].replace(report.agreement.measures["title"].to_dict())
    columns = [_PART, _counts("Counted", "numerator")]
    if rows["denominator"].notna().any():
        columns.append(_counts("Of" if rate else "In the base year", "denominator"))
        columns.append(Column.figure("Its reading", "rate"))
    elif since:
        columns.append(_counts(f"In {since}", "numerator_before"))
    headings = {"level": "Adds to the reading"}
    if since and (rate or decomposed.before):
        headings["change"] = f"Adds to the change since {since}"
    if since and rate:
        headings |= {"within": "of it by its own rate", "mix": "of it by its size"}
    headings["gap"] = "Adds to the gap to the target"
    headings["gap_to_path"] = "Adds to the gap to the plan"
    stated = {name: heading for name, heading in headings.items() if rows[name].notna().any()}
    columns += [_differences(heading, name) for name, heading in stated.items()]
    caption = f"{_by_part(decomposed)}, {decomposed.period}{_illustrative(decomposed)}"
    return rows_table(rows, columns, caption, folded=True)


def _contributions_chart(report: Report, decomposed: Decomposition) -> Chart:
    """What each part adds to the gap to the target; to the reading where none is stated."""
    unit, better = decomposed.unit, decomposed.better
    gap = decomposed.table["gap"].notna().all()
    data = decomposed.table[["part"]].assign(adds=decomposed.table["gap" if gap else "level"])
    data = data.iloc[(better * data["adds"]).argsort(kind="stable")].reset_index(drop=True)
    data["mark"] = np.where(gap & (better * data["adds"] < 0), "short", "not short")
    adds = [difference_text(value, unit) for value in data["adds"]]

    def draw(axes: Axes) -> None:
        _name_parts(axes, data["part"])
        axes.axvline(0, color=GREY, linewidth=1.2)
        axes.hlines(data.index, 0, data["adds"], color=GREY, linewidth=1.5)
        for mark, words in (("short", "short of the target"), ("not short", "beyond the target")):
            rows = data[data["mark"] == mark]
            colour, shape = _PART_MARKS[mark]
            label = words if gap and len(rows) else None
            axes.plot(rows["adds"], rows.index, shape, color=colour, markersize=9, label=label)
        for place, (value, text) in enumerate(zip(data["adds"], adds, strict=True)):
            side, points = ("left", 10) if value >= 0 else ("right", -10)
            style: dict[str, Any] = {"textcoords": "offset points", "va": "center", "fontsize": 11}
            axes.annotate(text, (value, place), (points, 0), ha=side, **style)
        axes.margins(x=0.2)
        axes.xaxis.set_major_formatter(lambda value, _: difference_text(value, unit))
        if gap:
            axes.legend(loc="lower center", bbox_to_anchor=(0.3, 1.0), ncols=2, title=None)

    total = difference_text(float(data["adds"].sum()), unit, named=True)
    what = "the gap to the target" if gap else "the reading"
    alt = (
        f"Dot plot of what each {decomposed.kind} adds to {what} of "
        f"{decomposed.definition['title']} in {decomposed.period}, {total} in all."
        f"{_illustrative_figures(decomposed)}"
    )
    numbers, height = _contributions_table(report, decomposed), 1.2 + 0.34 * len(data)
    return Chart(draw, alt, data, numbers, height, _margins(height))


def _hotspots_text(result: Hotspots) -> str:
    """Which parts are better or worse than the whole after allowing for chance."""
    area, kind = result.decomposition.area, result.decomposition.kind
    rows, sentences = _worst_first(result), []
    for word, mark in (("worse", "short"), ("better", "not short")):
        if names := list(rows.loc[rows["mark"] == mark, "part"].map(_part_name)):
            sentences.append(f"{listed(names)} {are(len(names))} {word} than {area}")
    if others := int((rows["mark"] == "may be chance").sum()):
        which = f"{'the other' if sentences else 'all'} {counted(others, kind)}"
        sentences.append(f"For {which} chance may explain the difference")
    spread = _size_text(result.spread, result.unit)
    return (
        f"{_hotspots_title(result)}: {area} stands at "
        f"{with_unit(result.whole, result.unit)}, and a {kind} is called worse or better where its "
        f"range of 95 in 100 chances leaves that out. {'. '.join(sentences)}. Beyond what chance "
        f"makes, they differ by about {spread} (standard deviation)."
    )


def _worst_first(result: Hotspots) -> pd.DataFrame:
    """The parts, each marked worse or better than the whole for sure by :data:`_PART_MARKS`."""
    worst_first = -1 if result.decomposition.better == 1 else 1
    rows = result.table[::worst_first].reset_index(drop=True)
    worse = rows["chance_worse"]
    marks = np.select([worse >= SURE, worse <= 1 - SURE], ["short", "not short"], "may be chance")
    return rows.assign(mark=marks)


def _hotspots_title(result: Hotspots) -> str:
    """What is compared, of when, and whether it is made up."""
    decomposed = result.decomposition
    since = "" if rate_factor(decomposed.unit) else f" against {decomposed.since}"
    when = f"{decomposed.period}{since}{_illustrative(decomposed)}"
    return f"{_by_part(decomposed)} after allowing for chance, {when}"


def _hotspots_table(result: Hotspots) -> Html:
    """Each part's figure after allowing for chance, with the places that it may have."""
    rows, area = result.table.assign(unit=result.unit), result.decomposition.area
    low, high = rows["place_low"].astype(str), rows["place_high"].astype(str)
    rows["places"] = low.where(low == high, low + " to " + high)
    columns = [
        *_HOTSPOT_COLUMNS,
        Column.chance(f"Chance that it is worse than {area}", "chance_worse"),
        Column.number("Place, 1 is best", "places"),
    ]
    return rows_table(rows, columns, _hotspots_title(result), folded=True)


def _hotspots_chart(result: Hotspots) -> Chart:
    """Each part's figure after allowing for chance, with its interval, against the whole's."""
    decomposed, area, unit = result.decomposition, result.decomposition.area, result.unit
    data = _worst_first(result)
    words = {
        "short": f"worse than {area}",
        "not short": f"better than {area}",
        "may be chance": "may be chance",
    }

    def draw(axes: Axes) -> None:
        _name_parts(axes, data["part"])
        axes.axvline(result.whole, color=GREY, linestyle=DASHED, linewidth=1.5)
        axes.hlines(data.index, data["lower"], data["upper"], color=GREY, linewidth=1.5)
        axes.plot(data["observed"], data.index, "|", color=GREY, markersize=11, label="as observed")
        for mark, (colour, shape) in _PART_MARKS.items():
            rows = data.loc[data["mark"] == mark, "shrunken"]
            if len(rows):
                label = words[mark]
                axes.plot(rows, rows.index, shape, color=colour, markersize=8, label=label)
        axes.margins(x=0.05)
        axes.xaxis.set_major_formatter(lambda value, _: figure_text(value, unit))
        axes.legend(loc="lower center", bbox_to_anchor=(0.3, 1.0), ncols=2, title=None)

    alt = (
        f"Dot plot of {_by_part(decomposed)} in {decomposed.period} after allowing for chance; the "
        f"dashed line is {area}, {figure_text(result.whole, unit)}."
        f"{_illustrative_figures(decomposed)}"
    )
    height = 1.5 + 0.34 * len(data)
    return Chart(draw, alt, data, _hotspots_table(result), height, _margins(height))


def _margins(height: float) -> tuple[float, float, float, float]:
    return 0.36, 0.97, 1 - 0.7 / height, 0.4 / height


def _name_parts(axes: Axes, parts: pd.Series) -> None:
    """A row for each part, the first at the top."""
    axes.set_yticks(range(len(parts)), [_part_name(shorten(str(name), 34)) for name in parts])
    axes.set_ylim(len(parts) - 0.5, -0.5)
    axes.grid(axis="x")
    axes.grid(visible=False, axis="y")


def _what_if_text(result: WhatIf, changes: Mapping[str, float | str]) -> str:
    """What the reading and the chance of the target would be if these parts were elsewhere."""
    decomposed, unit = result.decomposition, result.decomposition.unit
    now, then = with_unit(decomposed.level, unit), with_unit(result.level, unit)
    side = "higher" if result.effect > 0 else "lower"
    moved = f"{_size_text(result.effect, unit)} {side}" if result.effect else "the same"
    if set(changes.values()) == {AVERAGE}:
        average = f"{decomposed.area}'s present average of {now}, themselves counted in it"
        settings = f"{listed([*map(_part_name, changes)])} at {average}"
    else:
        pairs = result.table[["part", "then"]].itertuples(index=False)
        settings = listed([f"{_part_name(part)} at {with_unit(to, unit)}" for part, to in pairs])
    reading = f"the reading of {decomposed.period} would be {then} instead of {now}: {moved}"
    more = math.ceil(round(abs(result.table["more"].sum()), 6))
    cases = decomposed.table.set_index("part").loc[list(changes), "denominator"].sum()
    among = f"of their {cases:,.0f} cases" if rate_factor(unit) else "counted in them"
    direction = "more" if result.effect >= 0 else "fewer"
    sentences = [f"With {settings}, {reading}", f"It means {more:,} {direction} {among}"]
    target = f"target of {with_unit(decomposed.target, unit)}"
    if result.closed >= 1 - 1e-9:
        sentences.append(f"The {target} would be reached")
    elif result.closed > 0:
        sentences.append(f"That is {result.closed:.0%} of the way that is left to the {target}")
    if pd.notna(result.chance_before):
        before, after = chance_text(result.chance_before), chance_text(result.chance_after)
        forecast = f"On top of what is forecast for {decomposed.definition['due']}"
        chance = f"the chance of the target would be {after} instead of {before}"
        sentences.append(f"{forecast}, {chance}")
    if decomposed.illustrative:
        sentences.append("The parts' figures are illustrative")
    return ". ".join(sentences) + "."


def _what_if_table(result: WhatIf) -> Html:
    """What each part that is set adds to the reading; the last row is all of them together."""
    decomposed, rows, unit = result.decomposition, result.table, result.decomposition.unit
    whole = {"part": decomposed.area, "now": decomposed.level, "then": result.level}
    whole |= {"more": round(rows["more"].sum(), 6), "effect": result.effect}
    rows = pd.concat([rows, pd.DataFrame([whole])]).assign(unit=unit)
    columns = [
        _PART,
        Column.figure("Now"),
        Column.figure("Set to", "then"),
        Column.number("More counted", lambda row: difference_text(row["more"], "")),
        _differences("Adds to the reading", "effect"),
    ]
    title = f"What if: {decomposed.definition['title']}, {decomposed.period}"
    return rows_table(rows, columns, f"{title}{_illustrative(decomposed)}")
