"""Funnels: which authorities differ by more than chance."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pandas as pd

from psa_analysis.analysis.families import Funnel, figure_unit, funnel
from psa_analysis.report import Report
from psa_analysis.show.chart import (
    BLUE,
    GREY,
    ORANGE,
    PINK,
    Chart,
    Labels,
    as_svg,
    label_ends,
    new_figure,
    only_words,
)
from psa_analysis.show.families import no_family
from psa_analysis.show.tables import Html, sentence, table
from psa_analysis.words import figure_text, listed, with_unit

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def no_funnel(report: Report, measure: str, family: str) -> str:
    """Why there is no funnel of a measure in a family, or nothing."""
    if said := no_family(report, family):
        return said
    reason = funnel(report, measure, family).reason
    title = report.agreement.measures.at[measure, "title"]
    return f"{title}: no funnel, since {reason}." if reason else ""


def funnel_table(report: Report, measure: str, family: str) -> Html:
    """Each authority's figure beside what chance allows for its number of cases."""
    if said := no_funnel(report, measure, family):
        return sentence(said)
    definition, made = report.agreement.measures.loc[measure], funnel(report, measure, family)
    unit = figure_unit(definition)
    rows = made.units.sort_values("denominator")
    frame = pd.DataFrame(
        {
            "Authority": rows["area"],
            "Counted": [f"{value:,.10g}" for value in rows["numerator"]],
            "Counted among": [f"{value:,.10g}" for value in rows["denominator"]],
            "Figure": [figure_text(value, unit) for value in rows["figure"]],
            **{
                f"{percent}% limits": [
                    f"{figure_text(low, unit)} to {figure_text(high, unit)}"
                    for low, high in zip(
                        rows[f"low_{percent}"], rows[f"high_{percent}"], strict=True
                    )
                ]
                for percent in ("95", "99.8")
            },
            "Beyond": rows["outside"].replace("", "–"),
        }
    )
    mark = " (illustrative figures)" if made.illustrative else ""
    return table(
        frame,
        f"{definition['title']}, {made.period}: what chance allows around the family's mean "
        f"of {figure_text(made.mean, unit)}{mark}",
        numeric=[name for name in frame if name not in ("Authority", "Beyond")],
        folded=True,
    )


def funnel_words(report: Report, measure: str, family: str) -> Html:
    """How many authorities differ from the family's mean by more than chance allows, and which."""
    if said := no_funnel(report, measure, family):
        return sentence(said)
    definition, made = report.agreement.measures.loc[measure], funnel(report, measure, family)
    unit, area = figure_unit(definition), report.agreement.settings.agreement.area
    rows = made.units.set_index("area")
    said = "Illustrative figures. " if made.illustrative else ""
    said += (
        f"In {made.period} the mean of the family is {with_unit(made.mean, unit)}, all cases taken "
        "together. "
    )
    if area in rows.index:
        own = rows.loc[area]
        where = "within what chance allows" if not own["outside"] else f"{own['outside']} limits"
        where = where.replace("% limits", "% of what chance allows")
        said += f"{area}, at {figure_text(own['figure'], unit)}, is {where}. "
    else:
        said += f"No figure of {area} is in it. "
    far = rows[rows["outside"].str.endswith("99.8%")]
    named = [f"{name} ({row['outside'].split()[0]})" for name, row in far.iterrows()]
    said += (
        "Chance alone would put about one authority in twenty beyond the 95% limits and hardly any "
        f"beyond the 99.8% limits. Here it is {(rows['outside'] != '').sum()} of {len(rows)} and "
        f"{len(far)} of {len(rows)}{': ' if named else ''}{listed(named)}."
    )
    if made.unlike:
        said += " So more than chance sets these authorities apart."
    return sentence(said)


def funnel_chart(report: Report, measure: str, family: str) -> Chart:
    """A family's figures by their number of cases, within what chance allows around the mean."""
    if said := no_funnel(report, measure, family):
        return only_words(said)
    definition, made = report.agreement.measures.loc[measure], funnel(report, measure, family)
    unit, area = figure_unit(definition), report.agreement.settings.agreement.area
    units, curve = made.units, made.curve
    with new_figure(8, 4.6) as (drawing, axes):
        drawing.subplots_adjust(left=0.1, right=0.84, top=0.95, bottom=0.14)
        axes.axhline(made.mean, color=GREY, linewidth=1.5)
        end = curve.iloc[-1]
        labels: Labels = [(made.mean, end["denominator"], "Mean", GREY)]
        for percent, style in (("95", (0, (5, 3))), ("99.8", "-")):
            for side in ("low", "high"):
                axes.plot(
                    curve["denominator"],
                    curve[f"{side}_{percent}"],
                    color=GREY,
                    linestyle=style,
                    linewidth=1,
                )
            text = f"{percent}% limits"
            labels.append((end[f"high_{percent}"], end["denominator"], text, GREY))
        for name, marker, colour, rows in _funnel_groups(units, area):
            axes.plot(
                rows["denominator"],
                rows["figure"],
                marker,
                color=colour,
                markersize=8,
                markerfacecolor="white" if name == "within" else colour,
            )
        _name_points(axes, made, area)
        axes.margins(x=0.03, y=0.06)
        label_ends(axes, labels)
        axes.set_xlabel("Number of cases that each figure is made of")
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
        axes.yaxis.set_major_formatter(lambda value, _: figure_text(value, unit))
        svg = as_svg(drawing)
    shown = pd.DataFrame(
        {
            "Area": units["area"],
            "Cases": [figure_text(value, "") for value in units["denominator"]],
            "Figure": [figure_text(value, unit) for value in units["figure"]],
        }
        | {
            f"{percent}% limits": [
                f"{figure_text(low, unit)} to {figure_text(high, unit)}"
                for low, high in zip(units[f"low_{percent}"], units[f"high_{percent}"], strict=True)
            ]
            for percent in ("95", "99.8")
        }
        | {"Outside": units["outside"].replace("", "–")}
    )
    return Chart(svg, _funnel_alt(definition, made, area, unit), units, shown)


def _funnel_groups(units: pd.DataFrame, area: str) -> Iterator[tuple[str, str, str, pd.DataFrame]]:
    """Points that share a marker and a colour."""
    others, beyond = units["area"] != area, units["outside"].str.split().str[-1].fillna("")
    yield "within", "o", GREY, units[others & (beyond == "")]
    yield "95", "^", ORANGE, units[others & (beyond == "95%")]
    yield "99.8", "s", PINK, units[others & (beyond == "99.8%")]
    yield "own", "D", BLUE, units[~others]


def _name_points(axes: Axes, made: Funnel, area: str) -> None:
    """The own area's name, and those of the authorities beyond the widest limits."""
    units = made.units
    own, far = units["area"] == area, units["outside"].str.endswith("99.8%")
    middle = (units["denominator"].min() + units["denominator"].max()) / 2
    wide = units["denominator"].max() - units["denominator"].min()
    for _, row in units[own | far].iterrows():
        above, right = row["figure"] > made.mean, row["denominator"] <= middle
        if row["area"] == area:
            # Others may be near, so its name goes where fewer of them are.
            near = units[(units["denominator"] - row["denominator"]).abs() < wide / 4]["figure"]
            above = (near > row["figure"]).sum() < (near < row["figure"]).sum()
        axes.annotate(
            row["area"],
            (row["denominator"], row["figure"]),
            (0, 9 if above else -9),
            textcoords="offset points",
            ha="left" if right else "right",
            fontsize=11,
            va="bottom" if above else "top",
            color=BLUE if row["area"] == area else PINK,
            bbox={"facecolor": "white", "alpha": 0.7, "edgecolor": "none", "pad": 1},
        )


def _funnel_alt(definition: pd.Series, made: Funnel, area: str, unit: str) -> str:
    made_up = "Illustrative figures. " if made.illustrative else ""
    beyond = made.units[made.units["outside"] != ""]
    named = [f"{row['area']} {row['outside']}" for _, row in beyond.iterrows()]
    own = made.units[made.units["area"] == area]
    ours = f" {area} is at {figure_text(own['figure'].iloc[0], unit)}." if len(own) else ""
    return (
        f"{made_up}Funnel plot of {definition['title']}, {made.period}: {len(made.units)} "
        f"authorities by number of cases, around their mean of {figure_text(made.mean, unit)}, "
        f"with 95% limits (dashed) and 99.8% limits.{ours} Beyond the limits: "
        f"{', '.join(named) or 'none'}."
    )
