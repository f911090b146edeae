"""Families: where the agreement's area stands among others, and who differs by more than chance."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import pandas as pd

from psa_analysis.analysis.families import (
    Family,
    FamilyOutlook,
    Funnel,
    edge_outlook,
    family_figures,
    family_funnel,
    place,
    quartile,
)
from psa_analysis.register.agreement import family_areas
from psa_analysis.report import Report, memoised, own_readings
from psa_analysis.show import chart
from psa_analysis.show.chart import BLUE, DASHED, GREY, ORANGE, PINK, TEAL, Chart, Labels
from psa_analysis.show.tables import Column, Html, columns_frame, rows_table, sentence, table
from psa_analysis.show.views import View, no_view
from psa_analysis.words import chance_text, counted, day_text, figure_text, listed, with_unit

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import date

    from matplotlib.axes import Axes

#: The quartiles, best first.
_QUARTILES = {1: "top", 2: "second", 3: "third", 4: "bottom"}
#: What the edge is called in charts and their data.
_EDGE = "Top quartile begins"


@memoised
def family_of(report: Report, measure: str, family: str) -> Family:
    """The figures of a family as known at the report's cut-off."""
    measures = report.agreement.measures
    if measure not in measures.index:
        known = ", ".join(measures.index)
        raise KeyError(f"there is no measure '{measure}'; the register has {known}")
    definition, areas = measures.loc[measure], family_areas(report.agreement, family)
    figures = family_figures(report.readings, definition, areas, report.period.end)
    return Family(family, areas, definition, figures)


@memoised
def family_outlook(
    report: Report, measure: str, family: str, own: str | None = None
) -> FamilyOutlook:
    """Forecast where the top quartile will begin, up to the agreement's last year.

    `own` is a measure that follows the agreement's own figure more closely.
    """
    members = family_of(report, measure, family)
    until = report.agreement.settings.agreement.last.end
    if own is None:
        return edge_outlook(members, until)
    if own not in report.outlooks:
        raise KeyError(f"there is no measure '{own}'; followed are {', '.join(report.outlooks)}")
    unit = report.agreement.measures.at[own, "unit"]
    if unit != members.measure["unit"]:
        raise ValueError(f"{own} is in {unit} and {measure} in {members.measure['unit']}")
    outlook = report.outlooks[own]
    ends = [period.end for period in outlook.periods]
    followed: dict[date, Any] = dict(zip(ends, outlook.draws.T, strict=True))
    known = own_readings(report, own).set_index("period_end")["reading"].dropna()
    followed |= {end.date(): reading for end, reading in known.items()}
    return edge_outlook(members, until, followed)


@memoised
def funnel_of(report: Report, measure: str, family: str) -> Funnel:
    """The newest figures of a family, each with the limits that its number of cases gives."""
    return family_funnel(family_of(report, measure, family))


def _no_family(report: Report, family: str) -> str:
    """Why a register has no family to show, or nothing; a family that it misses is an error."""
    exists = len(report.agreement.families) or family in set(report.agreement.areas["kind"])
    return "" if exists else "The register names no family of authorities."


def family(report: Report, measure: str, name: str, own: str | None = None) -> View:
    """Where the agreement's area stands in a family, and where the top quartile is heading.

    `own` is a measure that follows the agreement's own figure more closely.
    """
    if reason := _no_family(report, name):
        return no_view(reason)
    members = family_of(report, measure, name)
    if members.newest is None:
        few = f"Too few figures of the {name} had come in by {day_text(report.cut_off)}"
        return no_view(f"{few} to say where the top quartile begins.")
    outlook = family_outlook(report, measure, name, own)
    return View(
        words=lambda: sentence(_family_text(members, outlook)),
        chart=lambda: _family_chart(members, outlook),
        table=lambda: _family_table(members),
        data=members.standings,
    )


def funnel(report: Report, measure: str, family: str) -> View:
    """The newest figures of a family, each with the limits that its number of cases gives."""
    if reason := _no_family(report, family):
        return no_view(reason)
    members, result = family_of(report, measure, family), funnel_of(report, measure, family)
    if result.reason:
        title = report.agreement.measures.at[measure, "title"]
        return no_view(f"{title}: no funnel, since {result.reason}.")
    return View(
        words=lambda: sentence(_funnel_text(members, result)),
        chart=lambda: _funnel_chart(members, result),
        data=result.units,
    )


def _texts(members: Family) -> Callable[[float], str]:
    """What writes a figure in the family's unit."""
    return partial(figure_text, unit=members.unit)


def _family_text(members: Family, outlook: FamilyOutlook) -> str:
    newest, figure = members.newest, _texts(members)
    assert newest is not None
    text = _standing_text(newest, members)
    first = members.standings.dropna(subset="edge").iloc[0]
    if first["period"] != newest["period"]:
        text += f" In {first['period']} the top quartile began at {figure(first['edge'])}."
    if outlook.reason:
        return f"{text} No forecast of the top quartile: {outlook.reason}."
    low, high = outlook.edge.interval(80)
    text += (
        f" By {outlook.edge.periods[-1]} it is forecast to begin at {figure(outlook.edge.median)}, "
        f"with eight in ten chances between {figure(low)} and {figure(high)}."
        f"{_chance_sentence(members, outlook)}"
    )
    if outlook.left_out:
        text += f" The forecast is made without {listed(list(outlook.left_out))}: too few figures."
    return text


def _chance_sentence(members: Family, outlook: FamilyOutlook) -> str:
    chance = chance_text(float(outlook.chance[-1]))
    return f" The chance that {members.area} is in the top quartile then is {chance}."


def _standing_text(row: pd.Series, members: Family) -> str:
    """Where the agreement's area stands in its family, from a row of the standings."""
    area, figure = members.area, _texts(members)
    counted_of = f"{row['ranked']} of {row['family']} authorities whose figures count"
    edge = f"top quartile begins at {figure(row['edge'])}"
    if row["reason"]:
        sentences = [f"Of the {counted_of}, the {edge} in {row['period']}; {row['reason']}"]
    else:
        shared = f", shared with {counted(row['tied'], 'other')}," if row["tied"] else ""
        sentences = [
            f"{area} has {with_unit(row['figure'], members.unit).strip()} for {row['period']}: "
            f"place {row['place']:.0f}{shared} among the {counted_of}, and in the "
            f"{_QUARTILES[row['quartile']]} quartile",
            f"The {edge}{_distance_text(row['inside'], members.unit, area)}",
        ]
    if row["missing"]:
        sentences.append(f"No figure had come in from {listed(list(row['missing']))}")
    if row["left_out"]:
        sentences.append(f"Left out as doubtful: {listed(list(row['left_out']))}")
    if row["spans"]:
        sentences.append(
            f"Chance alone allows {figure(row['lower'])} to {figure(row['upper'])} around this "
            "figure, and the edge of the top quartile lies within that, so which side of it the "
            "area is on is not certain"
        )
    return _illustrative(row["illustrative"]) + ". ".join(sentences) + "."


def _illustrative(illustrative: bool) -> str:
    return "Illustrative figures. " if illustrative else ""


def _distance_text(inside: float, unit: str, area: str) -> str:
    if not inside:
        return f", exactly where {area} is"
    unit = "percentage points" if unit == "percent" else unit
    size = with_unit(abs(inside), unit).strip()
    if not figure_text(abs(inside), unit).strip("0."):
        size = size.replace("0.0", "under 0.1", 1)
    return f"; {area} is {size} {'inside' if inside > 0 else 'outside'} it"


def _family_table(members: Family) -> Html:
    """The newest figures of a family in order, best first; those that do not count at the end."""
    newest, higher, unit = members.newest, members.higher, members.unit
    assert newest is not None
    rows = members.figures[members.figures["period"] == newest["period"]]
    ranked, left_out = rows[rows["left_out"] == ""], rows[rows["left_out"] != ""]
    figures = ranked["figure"]
    distances = (figures - newest["edge"]) * (1 if higher else -1)
    ranked = ranked.assign(
        order=[place(figure, figures, higher) for figure in figures],
        quartile=[_QUARTILES[quartile(figure, figures, higher)] for figure in figures],
        inside=[_inside_text(distance, unit) for distance in distances],
    ).sort_values(["order", "area"])
    shared = ranked["order"].duplicated(keep=False).map({True: " =", False: ""})
    ranked["place"] = ranked["order"].astype(str) + shared
    not_ranked = left_out[["area", "figure"]].assign(place="left out: " + left_out["left_out"])
    missing = pd.DataFrame({"area": newest["missing"], "place": "no figure had come in"})
    columns = [Column("Authority", "area"), Column("Place"), Column.figure("Figure")]
    if ranked["lower"].notna().any():
        columns.append(Column.between("Chance allows", "lower", "upper"))
    columns += [Column("Quartile"), Column.number("Inside the edge", "inside")]
    title = f"{_family_title(members, newest['illustrative'])}, {newest['period']}"
    caption = f"{title}; the top quartile begins at {figure_text(newest['edge'], unit)}"
    rows = pd.concat([ranked, not_ranked, missing], ignore_index=True).assign(unit=unit)
    return rows_table(rows, columns, caption)


def _family_title(members: Family, illustrative: Any) -> str:
    mark = " (illustrative figures)" if illustrative else ""
    return f"{members.measure['title']}: our place in the {members.name}{mark}"


def _inside_text(value: float, unit: str) -> str:
    """How far inside the edge: ``+4.4``, ``−0.7``; too little for its decimals in words."""
    if abs(value) < 1e-9:
        return "on it"
    text = figure_text(abs(value), "percentage points" if unit == "percent" else unit)
    if not text.strip("0."):
        return "just inside" if value > 0 else "just outside"
    return f"{'+' if value > 0 else '−'}{text}"


def _family_chart(members: Family, outlook: FamilyOutlook) -> Chart:
    """A family over time: each authority, and where the top quartile begins and is heading."""
    area, figures, text = members.area, members.ranked, _texts(members)
    data = _drawn(members, outlook)

    def draw(axes: Axes) -> None:
        others = figures[figures["area"] != area]
        for _, line in others.groupby("area"):
            axes.plot("period_end", "figure", data=line, color=GREY, linewidth=0.8, alpha=0.6)
        last = others[others["period_end"] == others["period_end"].max()]
        lowest = last.loc[last["figure"].idxmin()]
        labels: Labels = [(lowest["figure"], lowest["period_end"], "Other authorities", GREY)]
        for name, title, colour in ((_EDGE, "Top quartile", TEAL), (area, area, BLUE)):
            rows = data[data["area"] == name]
            if len(rows):
                _draw_with_forecast(axes, rows, colour)
                figure, end = rows.iloc[-1][["figure", "period_end"]]
                labels.append((figure, end, f"{title} {text(figure)}", colour))
        axes.margins(x=0.03, y=0.08)
        chart.finish_time_axes(axes, labels, members.unit)

    newest = members.newest
    assert newest is not None
    alt = (
        f"{_illustrative(newest['illustrative'])}Line chart of {members.measure['title']}: each "
        f"authority of the {members.name}, up to {newest['period']}. The dashed line is where the "
        f"top quartile begins, and its shading where it is forecast to begin; the heavy line is "
        f"{area}."
    )
    return Chart(draw, alt, data, _family_numbers(data, members), 4.6, (0.1, 0.76, 0.95, 0.12))


def _draw_with_forecast(axes: Axes, rows: pd.DataFrame, colour: str) -> None:
    """Draw figures, and from the last one on the middle and range of their forecast."""
    known, fan = rows[rows["low_80"].isna()], rows[rows["low_80"].notna()]
    style: dict[str, Any] = {"linestyle": (0, (5, 2)), "linewidth": 2.2}
    if colour == BLUE:
        style = {"marker": "o", "linewidth": 2.6, "markersize": 6}
    axes.plot("period_end", "figure", data=known, color=colour, **style)
    if fan.empty:
        return
    forecast = pd.concat([known[-1:], fan])
    if colour == TEAL:
        low, high = (forecast[end].fillna(forecast["figure"]) for end in ("low_80", "high_80"))
        axes.fill_between(forecast["period_end"], low, high, color=TEAL, alpha=0.25, linewidth=0)
    axes.plot("period_end", "figure", data=forecast, color=colour, linestyle=":", linewidth=2)
    if colour == BLUE:
        bars = [fan["figure"] - fan["low_80"], fan["high_80"] - fan["figure"]]
        style = {"fmt": "o", "markerfacecolor": "white", "capsize": 5, "linewidth": 1.5}
        axes.errorbar(fan["period_end"], fan["figure"], yerr=bars, color=BLUE, **style)


def _drawn(members: Family, outlook: FamilyOutlook) -> pd.DataFrame:
    """Figures, edges and what is forecast of both, one row each; a forecast has its range."""
    edges = members.standings.dropna(subset="edge")
    frames = [members.ranked, edges.assign(area=_EDGE, figure=edges["edge"])]
    if not outlook.reason:
        for area, forecast in ((_EDGE, outlook.edge), (members.area, outlook.own)):
            frames.append(forecast.fan().rename(columns={"median": "figure"}).assign(area=area))
    columns = ["area", "period", "period_end", "figure", "low_80", "high_80"]
    return pd.concat(frames, ignore_index=True).reindex(columns=columns)


def _family_numbers(data: pd.DataFrame, members: Family) -> Html:
    """A row an area, a column a year; what is forecast stands with its range."""
    columns = [Column.figure("figure"), Column.between("range", "low_80", "high_80")]
    texts = columns_frame(data.assign(unit=members.unit), columns)
    figures, ranges = texts["figure"], " (" + texts["range"] + ")"
    texts = figures.where(data["low_80"].isna(), figures + ranges)
    wide = data.assign(text=texts).pivot(index="area", columns="period", values="text")
    wide = wide.loc[data["area"].unique(), sorted(data["period"].unique())]
    frame = wide.reset_index(names="Area").rename_axis(columns=None)
    title = _family_title(members, members.standings["illustrative"].any())
    return table(frame, f"{title}, by year", numeric=list(wide), folded=True)


def _funnel_table(members: Family, result: Funnel) -> Html:
    """Each authority's figure beside what chance allows for its number of cases."""
    columns = [
        Column("Authority", "area"),
        Column.number("Counted", lambda row: f"{row['numerator']:,.10g}"),
        Column.number("Counted among", lambda row: f"{row['denominator']:,.10g}"),
        Column.figure("Figure"),
        Column.between("95% limits", "low_95", "high_95"),
        Column.between("99.8% limits", "low_99.8", "high_99.8"),
        Column("Beyond", lambda row: row["outside"] or "–"),
    ]
    mean = f"the family's mean of {figure_text(result.mean, members.unit)}"
    caption = f"{members.measure['title']}, {result.period}: what chance allows around {mean}"
    caption += " (illustrative figures)" if result.illustrative else ""
    rows = result.units.sort_values("denominator").assign(unit=members.unit)
    return rows_table(rows, columns, caption, folded=True)


def _funnel_text(members: Family, result: Funnel) -> str:
    """How many authorities differ from the family's mean by more than chance allows, and which."""
    area, rows = members.area, result.units.set_index("area")
    text = (
        f"{_illustrative(result.illustrative)}In {result.period} the mean of the family is "
        f"{with_unit(result.mean, members.unit)}, all cases taken together. "
    )
    if area in rows.index:
        outside = rows.at[area, "outside"]
        where = f"{outside} of" if outside else "within"
        figure = figure_text(rows.at[area, "figure"], members.unit)
        text += f"{area}, at {figure}, is {where} what chance allows. "
    else:
        text += f"No figure of {area} is in it. "
    far = rows.loc[rows["outside"].str.endswith("99.8%"), "outside"]
    named = [f"{name} ({outside.split()[0]})" for name, outside in far.items()]
    text += (
        "Chance alone would put about one authority in twenty beyond the 95% limits and hardly any "
        f"beyond the 99.8% limits. Here it is {(rows['outside'] != '').sum()} of {len(rows)} and "
        f"{len(far)} of {len(rows)}{': ' if named else ''}{listed(named)}."
    )
    if result.overdispersed:
        text += " So more than chance sets these authorities apart."
    return text


def _funnel_chart(members: Family, result: Funnel) -> Chart:
    """A family's figures by their number of cases, within what chance allows around the mean."""
    units, text = result.units, _texts(members)

    def draw(axes: Axes) -> None:
        axes.axhline(result.mean, color=GREY, linewidth=1.5)
        cases, end = result.curve["denominator"], result.curve.iloc[-1]
        labels: Labels = [(result.mean, end["denominator"], "Mean", GREY)]
        for percent, style in (("95", DASHED), ("99.8", "-")):
            for limit in (f"low_{percent}", f"high_{percent}"):
                axes.plot(cases, result.curve[limit], color=GREY, linestyle=style, linewidth=1)
            labels.append((end[limit], end["denominator"], f"{percent}% limits", GREY))
        _draw_units(axes, result, members.area)
        axes.margins(x=0.03, y=0.06)
        chart.label_ends(axes, labels)
        axes.set_xlabel("Number of cases that each figure is made of")
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
        axes.yaxis.set_major_formatter(lambda value, _: text(value))

    alt = (
        f"{_illustrative(result.illustrative)}Funnel plot of {members.measure['title']}, "
        f"{result.period}: {len(units)} authorities by number of cases, around their mean of "
        f"{text(result.mean)}, with 95% limits (dashed) and 99.8% limits."
    )
    return Chart(draw, alt, units, _funnel_table(members, result), 4.6, (0.1, 0.84, 0.95, 0.14))


def _draw_units(axes: Axes, result: Funnel, area: str) -> None:
    """Draw a point for each authority; the agreement's and those furthest out have their names."""
    units, cases = result.units, result.units["denominator"]
    beyond = units["outside"].str.split().str[-1].fillna("").mask(units["area"] == area, "own")
    marks = {"": ("o", GREY), "95%": ("^", ORANGE), "99.8%": ("s", PINK), "own": ("D", BLUE)}
    for group, (marker, colour) in marks.items():
        rows = units[beyond == group]
        style: dict[str, Any] = {
            "color": colour,
            "markersize": 8,
            "markerfacecolor": colour if group else "white",
        }
        axes.plot(rows["denominator"], rows["figure"], marker, **style)
    named = (units["area"] == area) | units["outside"].str.endswith("99.8%")
    for _, row in units[named].iterrows():
        own, above = row["area"] == area, row["figure"] > result.mean
        right = row["denominator"] <= (cases.min() + cases.max()) / 2
        if own:
            # Others may be near, so its name goes where fewer of them are.
            near = (cases - row["denominator"]).abs() < (cases.max() - cases.min()) / 4
            figures = units.loc[near, "figure"]
            above = (figures > row["figure"]).sum() < (figures < row["figure"]).sum()
        style = {"textcoords": "offset points", "fontsize": 11}
        style |= {"ha": "left" if right else "right", "va": "bottom" if above else "top"}
        style |= {"color": BLUE if own else PINK, "bbox": chart.BEHIND_WORDS}
        point, offset = (row["denominator"], row["figure"]), (0, 9 if above else -9)
        axes.annotate(row["area"], point, offset, **style)
