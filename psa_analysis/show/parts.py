"""Parts: what districts, schools and other parts add, and what if one were better."""

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd

from psa_analysis import words
from psa_analysis.analysis import parts
from psa_analysis.analysis.parts import REST, Decomposition, Hotspots
from psa_analysis.findings import did_you_mean, shorten
from psa_analysis.register.agreement import rate_factor
from psa_analysis.report import Report, memoised, own_readings
from psa_analysis.show.chart import BLUE, DASHED, GREY, PINK, Axes, Chart
from psa_analysis.show.tables import Column, Html, rows_table, sentence
from psa_analysis.show.views import View, no_view


@memoised
def decompose(report: Report, measure: str) -> Decomposition:
    """Take a measure apart at the newest period whose parts had come in by the cut-off."""
    if measure not in (measures := report.agreement.measures.index):
        raise KeyError(f"there is no measure '{measure}'. {did_you_mean(measure, measures)}")
    agreement, readings = report.agreement, own_readings(report, measure)
    return parts.decomposition(measure, agreement, report.observations, report.known, readings)


def by_part(report: Report, measure: str) -> View:
    """What each part adds to the reading of a measure, its change and its gap to the target."""
    if (decomposed := decompose(report, measure)).reason:
        return no_view(f"{measure} is not shown by part: {decomposed.reason}.")
    numbers = _contributions_table(report, decomposed)
    text, data = _contributions_text(decomposed), decomposed.table
    if np.isnan(decomposed.target):
        return View(words=lambda: sentence(text), table=lambda: numbers, data=data)
    gaps, better, unit = data[["part", "gap"]], decomposed.better, decomposed.unit
    gaps = gaps.sort_values("gap", ascending=better == 1, ignore_index=True, kind="stable")
    short = better * gaps["gap"] < 0
    sides = [("short of the target", PINK, gaps[short]), ("beyond the target", BLUE, gaps[~short])]

    def draw(axes: Axes) -> None:
        axes.axvline(0, color=GREY, linewidth=1.2)
        for label, colour, rows in sides:
            bars = axes.barh(rows.index, rows["gap"], 0.6, color=colour, label=label)
            texts = [words.difference_text(gap, unit) for gap in rows["gap"]]
            axes.bar_label(bars, texts, padding=5, fontsize=11)
        axes.margins(x=0.2)
        axes.xaxis.set_major_formatter(lambda value, _: words.difference_text(value, unit))

    gap = f"the gap to the target of {decomposed.definition['title']}"
    alt = f"Bars of what each {decomposed.kind} adds to {gap}. {text}"
    picture = _parts_chart(draw, alt, gaps, numbers)
    return View(words=lambda: sentence(text), chart=lambda: picture, data=data)


def hotspots(report: Report, measure: str) -> View:
    """Which parts are better or worse than the whole after allowing for chance."""
    if (result := parts.compared_parts(decompose(report, measure))).reason:
        return no_view(f"The parts of {measure} are not compared: {result.reason}.")
    text, decomposed, data = _hotspots_text(result), result.decomposition, result.table
    area, what = decomposed.area, f"{decomposed.definition['title']} by {decomposed.kind}"
    columns = [
        Column("Part"),
        Column.figure("As observed", "observed"),
        Column.figure("Allowing for chance", "shrunken"),
        Column.between("95 in 100 chances", "lower", "upper"),
        Column.chance(f"Chance that it is worse than {area}", "chance_worse"),
    ]
    title = f"{what} after allowing for chance, {_compared(decomposed)}"
    numbers = rows_table(data.assign(unit=result.unit), columns, title, folded=True)
    marks = {"worse": (PINK, "s"), "better": (BLUE, "o"), "may be chance": (GREY, "D")}

    def draw(axes: Axes) -> None:
        axes.axvline(result.whole, color=GREY, linestyle=DASHED, linewidth=1.5, label=area)
        axes.hlines(data.index, data["lower"], data["upper"], color=GREY, linewidth=1.5)
        axes.plot(data["observed"], data.index, "|", color=GREY, markersize=11, label="as observed")
        for verdict, rows in data.groupby("verdict"):
            colour, shape = marks[verdict]
            style = {"color": colour, "markersize": 8, "label": verdict}
            axes.plot(rows["shrunken"], rows.index, shape, **style)
        axes.margins(x=0.05)
        axes.xaxis.set_major_formatter(lambda value, _: words.figure_text(value, result.unit))

    picture = _parts_chart(draw, f"Dot plot of {what}. {text}", data, numbers)
    return View(words=lambda: sentence(text), chart=lambda: picture, data=data)


def what_if(report: Report, measure: str, changes: Mapping[str, float | str]) -> View:
    """What the reading and the chance of the target would be if these parts were elsewhere."""
    result = parts.scenario(decompose(report, measure), changes, report.outlooks.get(measure))
    if result.reason:
        return no_view(f"{measure} is not shown by part: {result.reason}.")
    decomposed, rows, unit = result.decomposition, result.table, result.decomposition.unit
    now, then = words.with_unit(decomposed.level, unit), words.with_unit(result.level, unit)
    period = f"{decomposed.period}{_illustrative(decomposed)}"
    text = f"With these settings, the reading of {period} would be {then} instead of {now}."
    if result.closed > 0:
        target = words.with_unit(decomposed.target, unit)
        text += f" That is {result.closed:.0%} of the way from there to the target of {target}."
    if pd.notna(result.chance_before):
        before, after = map(words.chance_text, (result.chance_before, result.chance_after))
        text += f" The chance of the target would be {after} instead of {before}."
    whole = {"part": decomposed.area, "now": decomposed.level, "then": result.level}
    whole |= {"more": round(rows["more"].sum(), 6), "effect": result.effect}
    rows = pd.concat([rows, pd.DataFrame([whole])]).assign(unit=unit)
    columns = [
        *[Column("Part"), Column.figure("Now"), Column.figure("Set to", "then")],
        Column.number("More counted", lambda row: words.difference_text(row["more"], "")),
        _differences("Adds to the reading", "effect"),
    ]
    table = rows_table(rows, columns, f"What if: {decomposed.definition['title']}, {period}")
    return View(words=lambda: sentence(text), table=lambda: table, data=result.table)


def _illustrative(decomposed: Decomposition) -> str:
    return " (illustrative)" if decomposed.illustrative else ""


def _differences(heading: str, name: str) -> Column:
    return Column.number(heading, lambda row: words.difference_text(row[name], row["unit"]))


def _contributions_text(decomposed: Decomposition) -> str:
    """How many parts are short of the target, and which of them most of the gap comes from."""
    named, when = decomposed.named, f"In {decomposed.period}{_illustrative(decomposed)}"
    target = words.with_unit(decomposed.target, decomposed.unit)
    short = named[decomposed.better * named["gap"] < 0]
    of_parts, verb = words.counted(len(named), decomposed.kind), words.are(len(short))
    text = f"{when}, {len(short)} of {of_parts} {verb} short of the target of {target}."
    if pd.isna(decomposed.target):
        text = f"{when}, the reading was made up of {of_parts}."
    if len(short):
        largest = short.loc[short["gap"].abs().nlargest(3).index, "part"]
        text += f" The largest shares of the gap: {words.listed(list(largest))}."
    if missing := words.listed(list(decomposed.missing)):
        text += f" There is no figure for {missing}."
    return text


def _contributions_table(report: Report, decomposed: Decomposition) -> Html:
    """What each part adds to the reading, its change and its gap; the whole stands last."""
    unit, since, whole = decomposed.unit, decomposed.since, decomposed.whole
    rate = rate_factor(unit) is not None
    rows, order = decomposed.table, "level" if np.isnan(decomposed.target) else "gap"
    sums = rows.loc[:, "level":"gap"].sum(skipna=False).round(11).to_dict()
    sums |= whole[["numerator", "denominator", "numerator_before"]].to_dict()
    sums |= {"part": decomposed.area, "rate": decomposed.level}
    named = decomposed.named.sort_values(order, ascending=decomposed.better == 1, kind="stable")
    rest = rows[rows["part"] == REST]
    rows = pd.concat([named, rest, pd.DataFrame([sums])], ignore_index=True).assign(unit=unit)
    rows["part"] = rows["part"].replace(report.agreement.measures["title"].to_dict())
    columns = [Column("Part"), Column.figure("Counted", "numerator", "count")]
    if rows["denominator"].notna().any():
        base = Column.figure("Of" if rate else "In the base year", "denominator", "count")
        columns += [base, Column.figure("Its reading", "rate")]
    elif since:
        columns.append(Column.figure(f"In {since}", "numerator_before", "count"))
    headings = {"level": "Adds to the reading"}
    # Where a change was counted from nothing, it is the reading.
    if rate or round(whole["level_before"], 11):
        headings["change"] = f"Adds to the change since {since}"
    if rate:
        headings |= {"within": "of it by its own rate", "mix": "of it by its size"}
    headings["gap"] = "Adds to the gap to the target"
    stated = {name: heading for name, heading in headings.items() if rows[name].notna().any()}
    columns += [_differences(heading, name) for name, heading in stated.items()]
    title = f"{decomposed.definition['title']} by {decomposed.kind}, {decomposed.period}"
    return rows_table(rows, columns, f"{title}{_illustrative(decomposed)}", folded=True)


def _parts_chart(
    draw_values: Callable[[Axes], None], alt: str, data: pd.DataFrame, numbers: Html
) -> Chart:
    """A chart with a row for each part, the first at the top."""

    def draw(axes: Axes) -> None:
        draw_values(axes)
        axes.set_yticks(data.index, [shorten(str(name), 34) for name in data["part"]])
        axes.set_ylim(len(data) - 0.5, -0.5)
        axes.grid(axis="x")
        axes.grid(visible=False, axis="y")
        axes.legend(loc="lower center", bbox_to_anchor=(0.3, 1.0), ncols=3)

    height = 1.4 + 0.34 * len(data)
    return Chart(draw, alt, data, numbers, height, (0.36, 0.97, 1 - 0.7 / height, 0.4 / height))


def _hotspots_text(result: Hotspots) -> str:
    """Which parts are better or worse than the whole after allowing for chance."""
    decomposed, sentences = result.decomposition, []
    for verdict in ("worse", "better"):
        if names := result.table.loc[result.table["verdict"] == verdict, "part"].tolist():
            than = f"{verdict} than {decomposed.area} by more than chance"
            sentences.append(f"{words.listed(names)} {words.are(len(names))} {than}.")
    number = words.counted(len(result.table), decomposed.kind)
    sentences = sentences or [f"chance may explain how the {number} differ."]
    return f"{_compared(decomposed)}: {' '.join(sentences)}"


def _compared(decomposed: Decomposition) -> str:
    """Of when the figures are that are compared, and whether they are made up."""
    since = "" if rate_factor(decomposed.unit) else f" against {decomposed.since}"
    return f"{decomposed.period}{since}{_illustrative(decomposed)}"
