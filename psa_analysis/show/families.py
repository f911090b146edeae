"""Families: where the agreement's area stands among other authorities."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from psa_analysis.analysis.families import (
    FamilyOutlook,
    family_figures,
    family_outlook,
    figure_unit,
    higher_is_better,
    newest_standing,
    place,
    quartile,
    standings,
)
from psa_analysis.report import Report
from psa_analysis.show.chart import (
    BLUE,
    GREY,
    TEAL,
    Chart,
    Labels,
    as_svg,
    label_ends,
    mark_years,
    new_figure,
    only_words,
    year_step,
)
from psa_analysis.show.tables import Html, sentence, table
from psa_analysis.words import chance_text, counted, day_text, figure_text, listed, with_unit

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def no_family(report: Report, family: str) -> str:
    """Why a register has no family to show, or nothing; a family that it misses is an error."""
    there = len(report.agreement.families) or family in set(report.agreement.areas["kind"])
    return "" if there else "The register names no family of authorities."


def family_words(report: Report, measure: str, family: str, own: str | None = None) -> Html:
    """Where the agreement's area stands in a family, and where the top quartile is heading."""
    if said := no_family(report, family):
        return sentence(said)
    newest = newest_standing(report, measure, family)
    if newest is None:
        return sentence(
            f"Too few figures of the {family} had come in by {day_text(report.cut_off)} to say "
            "where the top quartile begins."
        )
    definition = report.agreement.measures.loc[measure]
    unit, area = figure_unit(definition), report.agreement.settings.agreement.area
    said = standing_sentences(newest, area, unit)
    years = standings(report, measure, family)
    first = years[years["edge"].notna()].iloc[0]
    if first["period"] != newest["period"]:
        said += (
            f" In {first['period']} the top quartile began at {figure_text(first['edge'], unit)}."
        )
    ahead = family_outlook(report, measure, family, own)
    if ahead.reason:
        return sentence(f"{said} No forecast of the top quartile: {ahead.reason}.")
    low, high = ahead.edge.interval(80)
    said += (
        f" By {ahead.edge.periods[-1]} it is forecast to begin at "
        f"{figure_text(ahead.edge.median, unit)}, with eight in ten chances between "
        f"{figure_text(low, unit)} and {figure_text(high, unit)}. The chance that {area} is in the "
        f"top quartile then is {chance_text(float(ahead.chance[-1]))}."
    )
    if ahead.left_out:
        said += f" The forecast is made without {listed(list(ahead.left_out))}: too few figures."
    return sentence(said)


def family_table(report: Report, measure: str, family: str) -> Html:
    """The newest figures of a family in order, best first; those that do not count at the end."""
    if said := no_family(report, family):
        return sentence(said)
    definition = report.agreement.measures.loc[measure]
    unit, higher = figure_unit(definition), higher_is_better(definition)
    newest = newest_standing(report, measure, family)
    if newest is None:
        return sentence(f"{definition['title']}: too few figures were known.")
    rows = family_figures(report, measure, family)
    rows = rows[rows["period"] == newest["period"]]
    ranked = rows[rows["left_out"] == ""].copy()
    ranked["place"] = [place(one, ranked["figure"], higher) for one in ranked["figure"]]
    ranked = ranked.sort_values(["place", "area"])
    left_out = rows[rows["left_out"] != ""]
    better = 1 if higher else -1
    shared = ranked["place"].duplicated(keep=False)
    frame = pd.DataFrame(
        {
            "Authority": ranked["area"],
            "Place": ranked["place"].astype(str) + shared.map({True: " =", False: ""}),
            "Figure": [figure_text(value, unit) for value in ranked["figure"]],
            "Chance allows": [
                "–" if pd.isna(low) else f"{figure_text(low, unit)} to {figure_text(high, unit)}"
                for low, high in zip(ranked["lower"], ranked["upper"], strict=True)
            ],
            "Quartile": [
                QUARTILES[quartile(value, ranked["figure"], higher)] for value in ranked["figure"]
            ],
            "Inside the edge": [
                _inside_text(value, "percentage points" if unit == "percent" else unit)
                for value in better * (ranked["figure"] - newest["edge"])
            ],
        }
    )
    if ranked["lower"].isna().all():
        frame = frame.drop(columns="Chance allows")
    others = [
        {"Authority": area, "Place": f"left out: {why}", "Figure": figure_text(figure, unit)}
        for area, why, figure in left_out[["area", "left_out", "figure"]].itertuples(index=False)
    ] + [{"Authority": area, "Place": "no figure had come in"} for area in newest["missing"]]
    frame = pd.concat([frame, pd.DataFrame(others)], ignore_index=True)
    return table(
        frame,
        f"{_family_title(definition, family, bool(newest['illustrative']))}, "
        f"{newest['period']}; the top quartile begins at {figure_text(newest['edge'], unit)}",
        numeric=["Figure", "Chance allows", "Inside the edge"],
    )


def standings_table(report: Report, measure: str, family: str) -> Html:
    """Year by year: where the top quartile began, and the place of the agreement's area."""
    if said := no_family(report, family):
        return sentence(said)
    definition, rows = report.agreement.measures.loc[measure], standings(report, measure, family)
    unit = figure_unit(definition)
    frame = pd.DataFrame(
        {
            "Period": rows["period"],
            "Our figure": [figure_text(value, unit) for value in rows["figure"]],
            "Top quartile begins at": [figure_text(value, unit) for value in rows["edge"]],
            "Place": [
                "–" if pd.isna(row.place) else f"{row.place:.0f} of {row.ranked}"
                for row in rows.itertuples()
            ],
            "Quartile": rows["quartile"].map(QUARTILES),
            "No figure from": [listed(list(names)) or "–" for names in rows["missing"]],
            "Left out": [listed(list(names)) or "–" for names in rows["left_out"]],
            "Note": rows["reason"],
        }
    )
    return table(
        frame,
        f"{_family_title(definition, family, bool(rows['illustrative'].any()))}, by year",
        numeric=["Our figure", "Top quartile begins at"],
        folded=True,
    )


def _family_title(definition: pd.Series, family: str, illustrative: bool) -> str:
    mark = " (illustrative figures)" if illustrative else ""
    return f"{definition['title']}: our place in the {family}{mark}"


def _inside_text(value: float, unit: str) -> str:
    """How far inside the edge: ``+4.4``, ``−0.7``; too little for its decimals in words."""
    if abs(value) < 1e-9:
        return "on it"
    text = figure_text(abs(value), unit)
    if not text.strip("0."):
        return "just inside" if value > 0 else "just outside"
    return f"{'+' if value > 0 else '−'}{text}"


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
    """Where the agreement's area stands in its family."""
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


def family_chart(report: Report, measure: str, family: str, own: str | None = None) -> Chart:
    """A family over time: each authority, and where the top quartile begins and is heading."""
    if said := no_family(report, family):
        return only_words(said)
    definition = report.agreement.measures.loc[measure]
    unit, area = figure_unit(definition), report.agreement.settings.agreement.area
    edges = standings(report, measure, family)
    edges = edges[edges["edge"].notna()]
    if edges.empty:
        return only_words(
            f"{definition['title']}: too few figures had come in by {day_text(report.cut_off)}."
        )
    figures = family_figures(report, measure, family)
    figures = figures[figures["left_out"] == ""]
    ahead = family_outlook(report, measure, family, own)
    with new_figure(8, 4.6) as (drawing, axes):
        drawing.subplots_adjust(left=0.1, right=0.76, top=0.95, bottom=0.12)
        others = figures[figures["area"] != area]
        for _, line in others.groupby("area"):
            axes.plot(line["period_end"], line["figure"], color=GREY, linewidth=0.8, alpha=0.6)
        last = others[others["period_end"] == others["period_end"].max()]
        low = last.loc[last["figure"].idxmin()]
        labels: Labels = [(low["figure"], low["period_end"], "Other authorities", GREY)]
        labels += _draw_edge(axes, edges, ahead, unit)
        labels += _draw_own(axes, figures[figures["area"] == area], ahead, area, unit)
        axes.margins(x=0.03, y=0.08)
        label_ends(axes, labels)
        mark_years(axes, year_step(axes))
        axes.yaxis.set_major_formatter(lambda value, _: figure_text(value, unit))
        svg = as_svg(drawing)
    data = pd.concat(
        [
            figures[["area", "period", "figure"]],
            edges[["period", "edge"]].set_axis(["period", "figure"], axis=1).assign(area=_EDGE),
            *(
                one.fan()[["period", "median", "low_80", "high_80"]]
                .rename(columns={"median": "figure"})
                .assign(area=name)
                for name, one in ((_EDGE, ahead.edge), (area, ahead.own))
                if not ahead.reason
            ),
        ],
        ignore_index=True,
    )
    alt = _family_alt(definition, edges, ahead, area, unit, family)
    return Chart(svg, alt, data, _family_shown(data, unit))


def _family_shown(data: pd.DataFrame, unit: str) -> pd.DataFrame:
    """A row an area, a column a year; what is forecast stands with its range."""
    texts = [
        figure_text(row.figure, unit)
        if pd.isna(row.low_80)
        else f"{figure_text(row.figure, unit)} "
        f"({figure_text(row.low_80, unit)} to {figure_text(row.high_80, unit)})"
        for row in data.reindex(columns=["figure", "low_80", "high_80"]).itertuples()
    ]
    long = data[["area", "period"]].assign(text=texts)
    wide = long.pivot(index="area", columns="period", values="text")
    wide = wide.loc[long["area"].unique(), sorted(long["period"].unique())]
    return wide.fillna("–").reset_index(names="Area").rename_axis(columns=None)


#: What the edge is called in charts and their data.
_EDGE = "Top quartile begins"


def _draw_edge(axes: Axes, edges: pd.DataFrame, ahead: FamilyOutlook, unit: str) -> Labels:
    """Where the top quartile began, dashed, and the shaded range of where it will."""
    newest = edges.iloc[-1]
    axes.plot(edges["period_end"], edges["edge"], color=TEAL, linestyle=(0, (5, 2)), linewidth=2.2)
    if ahead.reason:
        text = f"Top quartile {figure_text(newest['edge'], unit)}"
        return [(newest["edge"], newest["period_end"], text, TEAL)]
    fan = ahead.edge.fan()
    ends = [newest["period_end"], *fan["period_end"]]
    axes.fill_between(
        ends,
        [newest["edge"], *fan["low_80"]],
        [newest["edge"], *fan["high_80"]],
        color=TEAL,
        alpha=0.25,
        linewidth=0,
    )
    axes.plot(ends, [newest["edge"], *fan["median"]], color=TEAL, linestyle=":", linewidth=2)
    due = fan.iloc[-1]
    text = f"Top quartile {figure_text(due['median'], unit)}"
    return [(due["median"], due["period_end"], text, TEAL)]


def _draw_own(axes: Axes, own: pd.DataFrame, ahead: FamilyOutlook, area: str, unit: str) -> Labels:
    """The own area's line, heavier and with points, and bars for eight in ten chances."""
    if own.empty:
        return []
    axes.plot(own["period_end"], own["figure"], "o-", color=BLUE, linewidth=2.6, markersize=6)
    last = own.iloc[-1]
    if ahead.reason:
        text = f"{area} {figure_text(last['figure'], unit)}"
        return [(last["figure"], last["period_end"], text, BLUE)]
    fan = ahead.own.fan()
    axes.plot(
        [last["period_end"], *fan["period_end"]],
        [last["figure"], *fan["median"]],
        color=BLUE,
        linestyle=":",
        linewidth=2,
    )
    axes.errorbar(
        fan["period_end"],
        fan["median"],
        yerr=[fan["median"] - fan["low_80"], fan["high_80"] - fan["median"]],
        fmt="o",
        color=BLUE,
        markerfacecolor="white",
        capsize=5,
        linewidth=1.5,
    )
    due = fan.iloc[-1]
    text = f"{area} {figure_text(due['median'], unit)}"
    return [(due["median"], due["period_end"], text, BLUE)]


def _family_alt(
    definition: pd.Series,
    edges: pd.DataFrame,
    ahead: FamilyOutlook,
    area: str,
    unit: str,
    family: str,
) -> str:
    made_up = "Illustrative figures. " if edges["illustrative"].any() else ""
    first, newest = edges.iloc[0], edges.iloc[-1]
    said = (
        f"{made_up}Line chart of {definition['title']}: each authority of the {family}, up to "
        f"{newest['period']}. The dashed line is where the top quartile begins: "
        f"{figure_text(first['edge'], unit)} in {first['period']}"
    )
    if len(edges) > 1:
        said += f", {figure_text(newest['edge'], unit)} in {newest['period']}"
    if pd.notna(newest["figure"]):
        said += f". The heavy line is {area}, the latest {figure_text(newest['figure'], unit)}"
    if ahead.reason:
        return f"{said}. No forecast: {ahead.reason}."
    low, high = ahead.edge.interval(80)
    own_low, own_high = ahead.own.interval(80)
    return (
        f"{said}. The shaded forecast of the top quartile for {ahead.edge.periods[-1]} has its "
        f"middle at {figure_text(ahead.edge.median, unit)}, eight in ten chances between "
        f"{figure_text(low, unit)} and {figure_text(high, unit)}; that of {area}, drawn as bars, "
        f"{figure_text(ahead.own.median, unit)}, between {figure_text(own_low, unit)} and "
        f"{figure_text(own_high, unit)}. The chance that {area} is in the top quartile then is "
        f"{chance_text(float(ahead.chance[-1]))}."
    )
