"""Places: what districts, schools and other parts add, and what if one were better."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from psa_analysis.analysis.parts import (
    AVERAGE,
    REST,
    SURE,
    Decomposition,
    Hotspots,
    decompose,
    hotspots,
    what_if,
)
from psa_analysis.findings import shorten
from psa_analysis.register.agreement import rate_factor
from psa_analysis.report import Report
from psa_analysis.show.chart import BLUE, GREY, PINK, Chart, as_svg, new_figure
from psa_analysis.show.tables import Html, sentence, table
from psa_analysis.words import chance_text, counted, difference_text, figure_text, listed, with_unit

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def contributions_words(report: Report, measure: str, kind: str | None = None) -> Html:
    """Which parts make up the gap to the target, and what the change came from, in words."""
    apart = decompose(report, measure, kind)
    if apart.reason:
        return _no_parts(measure, apart.reason)
    definition = report.agreement.measures.loc[measure]
    unit, title = str(definition["unit"]), definition["title"]
    parts = apart.table[apart.table["part"] != REST]
    made_up = " (illustrative)" if apart.illustrative else ""
    said = [
        f"{title}, {apart.period}: {with_unit(_number(apart.level), unit)}, made up of "
        f"{counted(len(parts), apart.kind)}{made_up}"
    ]
    if apart.target is not None and parts["gap"].notna().all():
        said += _gap_words(apart, parts, unit, str(definition["polarity"]))
    if apart.since:
        said.append(_change_words(apart, unit, rate_factor(unit) is not None))
    rest = apart.table[apart.table["part"] == REST]
    if len(rest):
        adds = difference_text(_number(rest["level"].iloc[0]), unit)
        said.append(f"What the parts do not hold adds {adds} to the reading")
    if apart.missing:
        said.append(f"Without a figure, and so no part of this: {listed(list(apart.missing))}")
    return sentence(". ".join(said) + ".")


def _gap_words(apart: Decomposition, parts: pd.DataFrame, unit: str, polarity: str) -> list[str]:
    """How far the whole is from the target, and the parts that most of it comes from."""
    assert apart.level is not None
    assert apart.target is not None
    gap, sign = apart.level - apart.target, 1 if polarity == "higher" else -1
    target = with_unit(_number(apart.target), unit)
    if sign * gap >= 0:
        return [f"The target of {target} is reached"]
    short = parts[sign * parts["gap"].astype(float) < 0]
    most = (sign * short["gap"].astype(float)).sort_values(kind="stable").index[:3]
    names = [
        f"{_part_name(name)} with {difference_text(abs(_number(value)), unit, signed=False)}"
        for name, value in short.loc[most, ["part", "gap"]].itertuples(index=False)
    ]
    size = difference_text(abs(_number(gap)), unit, signed=False, named=True)
    said = [f"That is {size} {'below' if gap < 0 else 'above'} the target of {target}"]
    if names:
        one = len(names) == 1
        largest = f"The largest {'part' if one else 'parts'} of this gap {'is' if one else 'are'}"
        parts_text, are = counted(len(parts), apart.kind), "is" if len(short) == 1 else "are"
        said.append(
            f"{largest} {listed(names)}; {len(short)} of {parts_text} {are} short of the target"
        )
    return said


def _change_words(apart: Decomposition, unit: str, rate: bool) -> str:
    """Which way the whole moved, and for a rate how far its parts moved or their sizes did."""
    assert apart.level is not None
    assert apart.before is not None
    change = apart.level - apart.before
    if not change:
        return f"It is the same as in {apart.since}"
    size = difference_text(abs(_number(change)), unit, signed=False, named=True)
    text = f"Since {apart.since} it has {'risen' if change > 0 else 'fallen'} by {size}"
    if not rate:
        return text
    within, mix = (
        difference_text(_number(apart.table[name].sum()), unit) for name in ("within", "mix")
    )
    parts = counted(2, apart.kind).removeprefix("2 ")
    return f"{text}: {within} because the rates of the {parts} moved, {mix} because their sizes did"


def _number(value: Any) -> float:
    """An exact fraction, or nothing, as a number."""
    return float("nan") if value is None or pd.isna(value) else float(value)


def _part_name(name: str) -> str:
    return name[:1].upper() + name[1:]


def _no_parts(measure: str, reason: str) -> Html:
    return sentence(f"{measure} is not shown by part: {reason}.")


def contributions_table(report: Report, measure: str, kind: str | None = None) -> Html:
    """What each part adds to the reading, its change and its gap; the whole stands last."""
    apart = decompose(report, measure, kind)
    if apart.reason:
        return _no_parts(measure, apart.reason)
    definition = report.agreement.measures.loc[measure]
    unit, rate = str(definition["unit"]), rate_factor(definition["unit"]) is not None
    titles = report.agreement.measures["title"].to_dict()
    by = apart.table["gap" if apart.target is not None else "level"].map(_number)
    order = by.mul(1 if definition["polarity"] == "higher" else -1).sort_values(kind="stable").index
    order = [
        *order[apart.table.loc[order, "part"] != REST],
        *order[apart.table.loc[order, "part"] == REST],
    ]
    sums = ["level", "change", "within", "mix", "gap", "gap_to_path"]
    whole = {
        name: apart.table[name].sum() if apart.table[name].notna().all() else None for name in sums
    }
    whole |= {name: apart.whole[name] for name in ("numerator", "denominator", "numerator_before")}
    whole |= {"part": report.agreement.settings.agreement.area, "rate": apart.level}
    rows = pd.concat([apart.table.loc[order], pd.DataFrame([whole], dtype=object)])
    frame = pd.DataFrame({"Part": [_part_name(titles.get(name, name)) for name in rows["part"]]})
    shown = {"numerator": "Counted"}
    if rows["denominator"].notna().any():
        shown["denominator"] = "Of" if rate else "In the base year"
    elif apart.since:
        shown["numerator_before"] = f"In {apart.since}"
    for column, heading in shown.items():
        frame[heading] = [figure_text(_number(value), "") for value in rows[column]]
    if rows["denominator"].notna().any():
        frame["Its reading"] = [figure_text(_number(value), unit) for value in rows["rate"]]
    headings = {"level": "Adds to the reading"}
    if apart.since and (rate or apart.before):
        headings["change"] = f"Adds to the change since {apart.since}"
    if apart.since and rate:
        headings |= {"within": "of it by its own rate", "mix": "of it by its size"}
    headings |= {
        "gap": "Adds to the gap to the target",
        "gap_to_path": "Adds to the gap to the plan",
    }
    for column, heading in headings.items():
        if rows[column].notna().any():
            frame[heading] = [difference_text(_number(value), unit) for value in rows[column]]
    made_up = " (illustrative)" if apart.illustrative else ""
    caption = f"{definition['title']} by {apart.kind}, {apart.period}{made_up}"
    return table(frame, caption, numeric=list(frame.columns[1:]), folded=len(frame) > 8)


def hotspots_words(report: Report, measure: str, kind: str | None = None) -> Html:
    """Which parts are better or worse than the whole after allowing for chance, in words."""
    found = hotspots(report, measure, kind)
    if found.reason:
        return sentence(f"The parts of {measure} are not compared: {found.reason}.")
    area, apart = report.agreement.settings.agreement.area, found.decomposition
    said, told = [], 0
    higher = report.agreement.measures.at[measure, "polarity"] == "higher"
    rows = found.table[::-1] if higher else found.table
    for words, mine in (
        ("worse", rows["chance_worse"] >= SURE),
        ("better", rows["chance_worse"] <= 1 - SURE),
    ):
        names = [_part_name(name) for name in rows.loc[mine, "part"]]
        told += len(names)
        if names:
            verb = "is" if len(names) == 1 else "are"
            said.append(f"{listed(names)} {verb} {words} than {area}")
    if told < len(rows):
        rest = "the other " if said else "all "
        rest += counted(len(rows) - told, apart.kind)
        said.append(f"For {rest} chance may explain the difference")
    spread = difference_text(found.spread, found.unit, signed=False, named=True)
    return sentence(
        f"{_hotspots_title(report, found)}: {area} stands at {with_unit(found.whole, found.unit)}, "
        f"and a {apart.kind} is called worse or better where its range of 95 in 100 chances leaves "
        f"that out. {'. '.join(said)}. Beyond what chance makes, they differ by about {spread} "
        "(standard deviation)."
    )


def _hotspots_title(report: Report, found: Hotspots) -> str:
    """What is compared, of when, and whether it is made up."""
    apart, definition = (
        found.decomposition,
        report.agreement.measures.loc[found.decomposition.measure],
    )
    counts = rate_factor(definition["unit"]) is None
    change = f" against {apart.since}" if counts else ""
    made_up = " (illustrative)" if apart.illustrative else ""
    return (
        f"{definition['title']} by {apart.kind} after allowing for chance, "
        f"{apart.period}{change}{made_up}"
    )


def hotspots_table(report: Report, measure: str, kind: str | None = None) -> Html:
    """Each part's figure after allowing for chance, with the places that it may have."""
    found = hotspots(report, measure, kind)
    if found.reason:
        return sentence(f"The parts of {measure} are not compared: {found.reason}.")
    rows, unit = found.table, found.unit
    frame = pd.DataFrame(
        {
            "Part": rows["part"].map(_part_name),
            "As observed": [figure_text(value, unit) for value in rows["observed"]],
            "Allowing for chance": [figure_text(value, unit) for value in rows["shrunken"]],
            "95 in 100 chances": [
                f"{figure_text(row.lower, unit)} to {figure_text(row.upper, unit)}"
                for row in rows.itertuples()
            ],
            f"Chance that it is worse than {report.agreement.settings.agreement.area}": [
                chance_text(chance) for chance in rows["chance_worse"]
            ],
            "Place, 1 is best": [
                f"{row.place_low} to {row.place_high}"
                if row.place_low < row.place_high
                else f"{row.place_low}"
                for row in rows.itertuples()
            ],
        }
    )
    caption = _hotspots_title(report, found)
    return table(frame, caption, numeric=list(frame.columns[1:]), folded=len(frame) > 8)


def what_if_words(
    report: Report, measure: str, changes: Mapping[str, float | str], kind: str | None = None
) -> Html:
    """What the reading and the chance of the target would be if these parts were elsewhere."""
    found = what_if(report, measure, changes, kind)
    if found.reason:
        return _no_parts(measure, found.reason)
    apart, definition = found.decomposition, report.agreement.measures.loc[measure]
    unit = str(definition["unit"])
    assert found.effect is not None
    size = difference_text(abs(_number(found.effect)), unit, signed=False, named=True)
    moved = f"{size} {'higher' if found.effect > 0 else 'lower'}" if found.effect else "the same"
    now = with_unit(_number(apart.level), unit)
    levels = [
        f"{_part_name(row.part)} at {with_unit(_number(row.then), unit)}"
        for row in found.table.itertuples()
    ]
    given = listed(levels)
    if set(changes.values()) == {AVERAGE}:
        area, names = report.agreement.settings.agreement.area, map(_part_name, changes)
        given = (
            f"{listed(list(names))} at {area}'s present average of {now}, themselves counted in it"
        )
    said = [
        f"With {given}, the reading of {apart.period} would be "
        f"{with_unit(_number(found.level), unit)} instead of {now}: {moved}"
    ]
    if found.table["more"].notna().all():
        more = f"{math.ceil(abs(found.table['more'].sum())):,}"
        cases = apart.table.set_index("part").loc[list(changes), "denominator"].sum()
        among = f"of their {_number(cases):,.0f} cases" if rate_factor(unit) else "counted in them"
        said.append(f"It means {more} {'more' if found.effect >= 0 else 'fewer'} {among}")
    if found.closed is not None and found.closed > 0:
        target = with_unit(_number(apart.target), unit)
        said.append(
            f"The target of {target} would be reached"
            if found.closed >= 1
            else f"That is {_number(found.closed):.0%} of the way that is left to the target of "
            f"{target}"
        )
    if pd.notna(found.chance_before):
        said.append(
            f"On top of what is forecast for {definition['due']}, the chance of the target would "
            f"be {chance_text(found.chance_after)} instead of {chance_text(found.chance_before)}"
        )
    if apart.illustrative:
        said.append("The parts' figures are illustrative")
    return sentence(". ".join(said) + ".")


def what_if_table(
    report: Report, measure: str, changes: Mapping[str, float | str], kind: str | None = None
) -> Html:
    """What each part that is set adds to the reading; the last row is all of them together."""
    found = what_if(report, measure, changes, kind)
    if found.reason:
        return _no_parts(measure, found.reason)
    apart, unit = found.decomposition, str(report.agreement.measures.at[measure, "unit"])
    rows = found.table
    area = report.agreement.settings.agreement.area
    frame = pd.DataFrame(
        {
            "Part": [*rows["part"].map(_part_name), area],
            "Now": [figure_text(_number(one), unit) for one in [*rows["now"], apart.level]],
            "Set to": [figure_text(_number(one), unit) for one in [*rows["then"], found.level]],
            "More counted": [
                difference_text(_number(one), "") for one in [*rows["more"], rows["more"].sum()]
            ],
            "Adds to the reading": [
                difference_text(_number(one), unit) for one in [*rows["effect"], found.effect]
            ],
        }
    )
    made_up = " (illustrative)" if apart.illustrative else ""
    caption = f"What if: {report.agreement.measures.at[measure, 'title']}, {apart.period}{made_up}"
    return table(frame, caption, numeric=list(frame.columns[1:]))


#: Colour and shape of a part that is short of what is asked, or as good or better.
PART_MARKS = {"short": (PINK, "s"), "not short": (BLUE, "o"), "may be chance": (GREY, "D")}


def contributions_chart(report: Report, measure: str, kind: str | None = None) -> Chart:
    """What each part adds to the gap to the target; to the reading where none is stated."""
    apart = decompose(report, measure, kind)
    definition = report.agreement.measures.loc[measure]
    if apart.reason:
        return _no_parts_chart(measure, str(definition["title"]), apart.reason)
    unit, better = str(definition["unit"]), 1 if definition["polarity"] == "higher" else -1
    column = "gap" if apart.table["gap"].notna().all() else "level"
    data = apart.table[["part"]].assign(adds=apart.table[column].astype(float))
    data = data.iloc[(better * data["adds"]).argsort(kind="stable")].reset_index(drop=True)
    short = better * data["adds"] < 0 if column == "gap" else data["adds"] != data["adds"]
    data["mark"] = np.where(short, "short", "not short")
    with new_figure(8, 1.2 + 0.34 * len(data)) as (figure, axes):
        _part_axes(figure, axes, data["part"])
        axes.axvline(0, color=GREY, linewidth=1.2)
        axes.hlines(data.index, 0, data["adds"], color=GREY, linewidth=1.5)
        for mark, words in (("short", "short of the target"), ("not short", "beyond the target")):
            mine = data[data["mark"] == mark]
            colour, shape = PART_MARKS[mark]
            label = words if column == "gap" and len(mine) else None
            axes.plot(mine["adds"], mine.index, shape, color=colour, markersize=9, label=label)
        for place, value in data["adds"].items():
            axes.annotate(
                difference_text(value, unit),
                (value, place),
                (10 if value >= 0 else -10, 0),
                textcoords="offset points",
                va="center",
                ha="left" if value >= 0 else "right",
                fontsize=11,
            )
        axes.margins(x=0.2)
        axes.xaxis.set_major_formatter(lambda value, _: difference_text(value, unit))
        if column == "gap":
            axes.legend(loc="lower center", bbox_to_anchor=(0.3, 1.0), ncols=2, title=None)
        svg = as_svg(figure)
    what = "the gap to the target" if column == "gap" else "the reading"
    total = difference_text(float(data["adds"].sum()), unit, named=True)
    each = "; ".join(f"{row.part} {difference_text(row.adds, unit)}" for row in data.itertuples())
    made_up = " Illustrative figures." if apart.illustrative else ""
    alt = (
        f"Dot plot of what each {apart.kind} adds to {what} of {definition['title']} in "
        f"{apart.period}, {total} in all. {each}.{made_up}"
    )
    adds = data["adds"].map(lambda value: difference_text(value, unit))
    return Chart(svg, alt, data, pd.DataFrame({"Part": data["part"], "Adds": adds}))


def hotspots_chart(report: Report, measure: str, kind: str | None = None) -> Chart:
    """Each part's figure after allowing for chance, with its interval, against the whole's."""
    found = hotspots(report, measure, kind)
    definition, area = (
        report.agreement.measures.loc[measure],
        report.agreement.settings.agreement.area,
    )
    if found.reason:
        return _no_parts_chart(measure, str(definition["title"]), found.reason)
    data, unit = found.table.copy(), found.unit
    data["mark"] = np.select(
        [data["chance_worse"] >= SURE, data["chance_worse"] <= 1 - SURE],
        ["short", "not short"],
        "may be chance",
    )
    # The worst at the top, as in the chart of contributions.
    data = data[::-1].reset_index(drop=True) if definition["polarity"] == "higher" else data
    words = {
        "short": f"worse than {area}",
        "not short": f"better than {area}",
        "may be chance": "may be chance",
    }
    with new_figure(8, 1.5 + 0.34 * len(data)) as (figure, axes):
        _part_axes(figure, axes, data["part"])
        axes.axvline(found.whole, color=GREY, linestyle=(0, (5, 3)), linewidth=1.5)
        axes.hlines(data.index, data["lower"], data["upper"], color=GREY, linewidth=1.5)
        axes.plot(data["observed"], data.index, "|", color=GREY, markersize=11, label="as observed")
        for mark, (colour, shape) in PART_MARKS.items():
            mine = data[data["mark"] == mark]
            if len(mine):
                axes.plot(
                    mine["shrunken"],
                    mine.index,
                    shape,
                    color=colour,
                    markersize=8,
                    label=words[mark],
                )
        axes.margins(x=0.05)
        axes.xaxis.set_major_formatter(lambda value, _: figure_text(value, unit))
        axes.legend(loc="lower center", bbox_to_anchor=(0.3, 1.0), ncols=2, title=None)
        svg = as_svg(figure)
    each = "; ".join(
        f"{row.part} {figure_text(row.shrunken, unit)} ({figure_text(row.lower, unit)} to "
        f"{figure_text(row.upper, unit)}), {words[row.mark]}"
        for row in data.itertuples()
    )
    made_up = " Illustrative figures." if found.decomposition.illustrative else ""
    alt = (
        f"Dot plot of {definition['title']} by {found.decomposition.kind} in "
        f"{found.decomposition.period} after allowing for chance; the dashed line is {area}, "
        f"{figure_text(found.whole, unit)}. {each}.{made_up}"
    )
    shown = pd.DataFrame(
        {
            "Part": data["part"],
            "As observed": [figure_text(value, unit) for value in data["observed"]],
            "Allowing for chance": [figure_text(value, unit) for value in data["shrunken"]],
            "95 in 100 chances": [
                f"{figure_text(row.lower, unit)} to {figure_text(row.upper, unit)}"
                for row in data.itertuples()
            ],
            "Beside the whole": data["mark"].map(words),
        }
    )
    return Chart(svg, alt, data, shown)


def _part_axes(figure: Figure, axes: Axes, parts: pd.Series) -> None:
    """A row for each part, the first at the top."""
    height = figure.get_size_inches()[1]
    figure.subplots_adjust(left=0.36, right=0.97, top=1 - 0.7 / height, bottom=0.4 / height)
    names = [shorten(str(name), 34) for name in parts]
    axes.set_yticks(range(len(parts)), [name[:1].upper() + name[1:] for name in names])
    axes.set_ylim(len(parts) - 0.5, -0.5)
    axes.grid(axis="x")
    axes.grid(visible=False, axis="y")


def _no_parts_chart(measure: str, title: str, reason: str) -> Chart:
    with new_figure(8, 1.2) as (figure, axes):
        axes.set_axis_off()
        axes.text(0.5, 0.5, "No figures by part", transform=axes.transAxes, ha="center")
        svg = as_svg(figure)
    return Chart(svg, f"No chart of {measure} ({title}) by part: {reason}.", pd.DataFrame())
