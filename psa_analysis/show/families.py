"""Families: where the agreement's area stands among others, and who differs by more than chance."""

from typing import Any

import pandas as pd

from psa_analysis.analysis import families
from psa_analysis.analysis.families import Family, FamilyOutlook, Funnel
from psa_analysis.findings import did_you_mean
from psa_analysis.register.agreement import family_areas
from psa_analysis.report import Report, memoised
from psa_analysis.show import chart
from psa_analysis.show.chart import BLUE, DASHED, GREY, ORANGE, PINK, TEAL, Axes, Chart, Labels
from psa_analysis.show.tables import Column, Html, columns_frame, rows_table, sentence, table
from psa_analysis.show.views import View, no_view
from psa_analysis.words import chance_text, day_text, figure_text, listed, signed, with_unit

#: The quartiles, best first.
_QUARTILES = {1: "top", 2: "second", 3: "third", 4: "bottom"}
#: What the edge is called in charts and their data.
_EDGE = "Top quartile"
#: The ends of a forecast's range.
_RANGE = ["low_80", "high_80"]


@memoised
def family_of(report: Report, measure: str, family: str) -> Family:
    """The figures of a family as known at the report's cut-off."""
    if measure not in (measures := report.agreement.measures).index:
        raise KeyError(f"there is no measure '{measure}'. {did_you_mean(measure, measures.index)}")
    definition, areas = measures.loc[measure], family_areas(report.agreement, family)
    figures = families.family_figures(report.readings, definition, areas, report.period.end)
    return Family(family, areas, definition, figures)


def family(report: Report, measure: str, name: str) -> View:
    """Where the agreement's area stands in a family, and where the top quartile is heading."""
    members = family_of(report, measure, name)
    if members.measure["rule"] in ("range", "none"):
        return no_view("There are no places, since neither higher nor lower is better.")
    if members.standings.empty:
        return no_view(f"Too few figures of the {name} had come in by {day_text(report.cut_off)}.")
    last, own = report.agreement.settings.agreement.last, report.outlooks.get(measure)
    outlook = families.edge_outlook(members, last.end, own)
    return View(
        words=lambda: sentence(_family_text(members, outlook)),
        chart=lambda: _family_chart(members, outlook),
        table=lambda: _family_table(members),
        data=members.standings,
    )


def funnel(report: Report, measure: str, family: str) -> View:
    """The newest figures of a family, each with the limits that its number of cases gives."""
    members = family_of(report, measure, family)
    if (result := families.family_funnel(members)).reason:
        return no_view(f"{members.measure['title']}: no funnel, since {result.reason}.")
    return View(
        words=lambda: sentence(_funnel_text(members, result)),
        chart=lambda: _funnel_chart(members, result),
        data=result.units,
    )


def _mark(members: Family) -> str:
    return "Illustrative figures. " if members.standings["illustrative"].any() else ""


def _caption(members: Family, what: str) -> str:
    period = members.standings["period"].iloc[-1]
    return f"{_mark(members)}{members.measure['title']}, {period}: {what}"


def _family_text(members: Family, outlook: FamilyOutlook) -> str:
    """Where the area stands, where the top quartile begins, and where it is heading."""
    area, unit, newest = members.area, members.unit, members.standings.iloc[-1]
    text = f"{_mark(members)}{area} has no figure for {newest['period']} that counts."
    if pd.notna(newest["place"]):
        text = (
            f"{_mark(members)}{area} has {with_unit(newest['figure'], unit)} for "
            f"{newest['period']}: place {newest['place']:.0f} of {newest['ranked']}, in the "
            f"{_QUARTILES[newest['quartile']]} quartile."
        )
    text += f" The top quartile begins at {figure_text(newest['edge'], unit)}."
    if newest["lower"] <= newest["edge"] <= newest["upper"]:
        text += f" Chance alone could put {area} on either side of that."
    if outlook.reason:
        return f"{text} No forecast: {outlook.reason}."
    median, low, high = (figure_text(outlook.edge.due[each], unit) for each in ("median", *_RANGE))
    text += (
        f" By {outlook.edge.periods[-1]} it is forecast to begin at "
        f"{median} (80% range {low} to {high}). "
        f"The chance that {area} is then in it is {chance_text(outlook.chance)}."
    )
    if outlook.left_out:
        text += f" Too few figures to be in the forecast: {listed(list(outlook.left_out))}."
    return text


def _family_table(members: Family) -> Html:
    """The newest figures of a family in order, best first; those that do not count at the end."""
    period = members.standings["period"].iloc[-1]
    ranked = members.ranked.query("period == @period").sort_values(["place", "area"])
    tied = ranked["place"].duplicated(keep=False).map({True: " =", False: ""})
    places = ranked["place"].astype(int).astype(str) + tied
    sent = members.figures[members.figures["period"] == period].set_index("area")
    others = sent.reindex([area for area in members.areas if area not in set(ranked["area"])])
    why = ("left out: " + others["left_out"]).fillna("no figure")
    ranked = ranked.assign(place=places, quartile=ranked["quartile"].map(_QUARTILES))
    others = others[["figure"]].assign(place=why).reset_index()
    columns = [Column("Authority", "area"), Column("Place"), Column.figure("Figure")]
    if ranked["lower"].notna().any():
        columns.append(Column.between("Chance allows", "lower", "upper"))
    inside = Column.number("Inside the edge", lambda row: signed(row["inside"]))
    columns += [Column("Quartile"), inside]
    rows = pd.concat([ranked, others], ignore_index=True).assign(unit=members.unit)
    return rows_table(rows, columns, _caption(members, "place and quartile"))


def _family_chart(members: Family, outlook: FamilyOutlook) -> Chart:
    """A family over time: each authority, and where the top quartile begins and is heading."""
    area, unit, data = members.area, members.unit, _drawn(members, outlook)

    def draw(axes: Axes) -> None:
        others = members.counted[members.counted["area"] != area]
        for _, rows in others.groupby("area"):
            axes.plot("period_end", "figure", data=rows, color=GREY, linewidth=0.8, alpha=0.6)
        figure, end = others.iloc[-1][["figure", "period_end"]]
        labels: Labels = [(figure, end, "Other authorities", GREY)]
        for name, colour, line in ((_EDGE, TEAL, DASHED), (area, BLUE, "solid")):
            if (rows := data[data["area"] == name]).empty:
                continue
            known, ends = rows[rows["low_80"].isna()], dict.fromkeys(_RANGE, rows["figure"])
            fan = rows[len(known) - 1 :].fillna(ends)
            style: dict[str, Any] = {"color": colour, "linewidth": 2.4}
            axes.plot("period_end", "figure", data=known, linestyle=line, marker="o", **style)
            axes.plot("period_end", "figure", data=fan, linestyle=":", **style)
            axes.fill_between("period_end", "low_80", "high_80", data=fan, color=colour, alpha=0.2)
            figure, end = rows.iloc[-1][["figure", "period_end"]]
            labels.append((figure, end, f"{name} {figure_text(figure, unit)}", colour))
        axes.margins(x=0.03, y=0.08)
        chart.finish_time_axes(axes, labels, unit)

    alt = _caption(
        members,
        f"line chart of the {members.name}; dashed: where the top quartile begins; heavy: {area}; "
        "shaded: the 80% range of forecasts.",
    )
    return Chart(draw, alt, data, _family_numbers(data, members), 4.6, (0.1, 0.76, 0.95, 0.12))


def _drawn(members: Family, outlook: FamilyOutlook) -> pd.DataFrame:
    """Figures, edges and what is forecast of both, one row each; a forecast has its range."""
    edges = members.standings.assign(area=_EDGE, figure=members.standings["edge"])
    frames = [members.counted, edges]
    if not outlook.reason:
        for area, forecast in ((_EDGE, outlook.edge), (members.area, outlook.own)):
            frames.append(forecast.fan().rename(columns={"median": "figure"}).assign(area=area))
    columns = ["area", "period", "period_end", "figure", *_RANGE]
    return pd.concat(frames, ignore_index=True).reindex(columns=columns)


def _family_numbers(data: pd.DataFrame, members: Family) -> Html:
    """A row an area, a column a year; what is forecast stands with its range."""
    columns = [Column.figure("figure"), Column.between("range", *_RANGE)]
    texts = columns_frame(data.assign(unit=members.unit), columns)
    forecasts = texts["figure"] + " (" + texts["range"] + ")"
    data = data.assign(text=texts["figure"].where(data["low_80"].isna(), forecasts))
    wide = data.pivot(index="area", columns="period", values="text").loc[data["area"].unique()]
    frame = wide.reset_index(names="Area").rename_axis(columns=None)
    return table(frame, _caption(members, "year by year"), numeric=list(wide), folded=True)


def _funnel_text(members: Family, result: Funnel) -> str:
    """How many authorities differ from the family's mean by more than chance allows, and which."""
    rows, period = result.units.set_index("area"), members.standings["period"].iloc[-1]
    mean = with_unit(result.mean, members.unit)
    text = f"{_mark(members)}The family's mean in {period} is {mean}."
    if members.area in rows.index:
        outside = rows.at[members.area, "outside"]
        where = outside.replace(" ", " the ") if outside else "within the 95%"
        text += f" {members.area} is {where} limits."
    text += (
        f" {(rows['outside'] != '').sum()} of {len(rows)} authorities are beyond the 95% limits; "
        "chance alone puts about one in twenty there."
    )
    far = rows.loc[rows["outside"].str.endswith("99.8%"), "outside"]
    if named := [f"{name} ({outside.split()[0]})" for name, outside in far.items()]:
        text += f" Beyond the 99.8% limits: {listed(named)}."
    return text


def _funnel_chart(members: Family, result: Funnel) -> Chart:
    """A family's figures by their number of cases, within what chance allows around the mean."""
    units, unit, area = result.units, members.unit, members.area

    def draw(axes: Axes) -> None:
        axes.axhline(result.mean, color=GREY, linewidth=1.5)
        cases, end = result.curve["denominator"], result.curve.iloc[-1]
        labels: Labels = [(result.mean, end["denominator"], "Mean", GREY)]
        for percent, line in (("95", DASHED), ("99.8", "solid")):
            for limit in (f"low_{percent}", f"high_{percent}"):
                axes.plot(cases, result.curve[limit], color=GREY, linestyle=line, linewidth=1)
            labels.append((end[limit], end["denominator"], f"{percent}% limits", GREY))
        beyond = units["outside"].str.split().str[-1].fillna("").mask(units["area"] == area, "own")
        marks = {"": ("o", GREY), "95%": ("^", ORANGE), "99.8%": ("s", PINK), "own": ("D", BLUE)}
        for group, (marker, colour) in marks.items():
            rows = units[beyond == group]
            fill = colour if group else "white"
            style: dict[str, Any] = {"color": colour, "markersize": 8, "markerfacecolor": fill}
            axes.plot(rows["denominator"], rows["figure"], marker, **style)
        for _, row in units[beyond.isin(["own", "99.8%"])].iterrows():
            above, right = row["figure"] > result.mean, row["denominator"] > cases.mean()
            style = {"ha": "right" if right else "left", "va": "bottom" if above else "top"}
            style |= {"textcoords": "offset points", "bbox": chart.BEHIND_WORDS}
            point, offset = (row["denominator"], row["figure"]), (0, 9 if above else -9)
            axes.annotate(row["area"], point, offset, **style)
        axes.margins(x=0.03, y=0.06)
        chart.label_ends(axes, labels)
        axes.set_xlabel("Number of cases that each figure is made of")
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
        axes.yaxis.set_major_formatter(lambda value, _: figure_text(value, unit))

    columns = [
        Column("Authority", "area"),
        Column.number("Counted", lambda row: f"{row['numerator']:,.10g}"),
        Column.number("Counted among", lambda row: f"{row['denominator']:,.10g}"),
        Column.figure("Figure"),
        Column.between("95% limits", "low_95", "high_95"),
        Column.between("99.8% limits", "low_99.8", "high_99.8"),
        Column("Beyond", lambda row: row["outside"] or "–"),
    ]
    caption = _caption(members, "what chance allows around the mean")
    rows = units.sort_values("denominator").assign(unit=unit)
    numbers = rows_table(rows, columns, caption, folded=True)
    alt = _caption(
        members,
        f"funnel plot of {len(units)} authorities by number of cases, around their mean of "
        f"{figure_text(result.mean, unit)}, with 95% limits (dashed) and 99.8% limits.",
    )
    return Chart(draw, alt, units, numbers, 4.6, (0.1, 0.84, 0.95, 0.14))
