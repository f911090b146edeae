"""Control charts: whether a quarter is ordinary or a sign of change."""

from __future__ import annotations

from itertools import compress
from typing import TYPE_CHECKING, Any

import pandas as pd

from psa_analysis.analysis.control import (
    RUN,
    TREND,
    TRIAL_BELOW,
    Control,
    measure_control,
    register_rebases,
)
from psa_analysis.register.agreement import observed_units
from psa_analysis.report import Report, assessment_row, memoised, own_readings
from psa_analysis.show import chart
from psa_analysis.show.chart import BLUE, GREY, ORANGE, TEAL, Chart, Labels
from psa_analysis.show.tables import Column, rows_table, sentence
from psa_analysis.show.views import View, no_view
from psa_analysis.words import counted, figure_text, listed

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@memoised
def control_of(report: Report, measure: str) -> Control:
    """The control chart of one measure up to the reporting period, or why there is none."""
    assessment_row(report, measure)
    agreement = report.agreement
    unit = str(observed_units(agreement.measures)[measure])
    rebases = register_rebases(agreement, measure)
    readings = own_readings(report, measure)
    return measure_control(readings, agreement.measures.loc[measure], unit, rebases)


def control_chart(report: Report, measure: str) -> View:
    """The control chart of one measure: its quarters, their mean and limits, what stands out."""
    result, title = control_of(report, measure), assessment_row(report, measure)["title"]
    text = control_sentences(result)
    if result.reason:
        return no_view(text)
    words, picture = (lambda: sentence(text)), (lambda: _control_chart(result, title))
    return View(words=words, chart=picture, data=result.points)


def _control_chart(control: Control, title: str) -> Chart:
    points = control.points

    def draw(axes: Axes) -> None:
        labels = _draw_limits(axes, control)
        _draw_quarters(axes, points)
        axes.margins(x=0.03, y=0.12)
        chart.finish_time_axes(axes, labels, control.unit)
        _mark_rebases(axes, control)

    marked = points[["outside", "run", "trend", "two_in_three"]].ne(0)
    rules = ["beyond a limit", "run", "trend", "two in three"]
    rows = points.assign(
        unit=control.unit,
        limits=points["trial"].map({True: "trial", False: "full"}),
        because=[listed([*compress(rules, row)]) or "–" for row in marked.to_numpy()],
    )
    columns = [
        Column("Quarter", "period"),
        Column.figure("Figure", "value"),
        Column.figure("Mean", "centre"),
        Column.figure("Lower limit", "lower"),
        Column.figure("Upper limit", "upper"),
        *(Column(heading) for heading in ("Limits", "Kind", "Because", "Flag")),
    ]
    number = int((points["kind"] != "ordinary").sum())
    alt = (
        f"Control chart of {title}, {points['period'].iloc[0]} to {points['period'].iloc[-1]}: "
        f"quarters around their mean, with limits; {counted(number, 'quarter')} "
        f"{'stands' if number == 1 else 'stand'} out."
    )
    table = rows_table(rows, columns, f"{title}, quarter by quarter", folded=True)
    return Chart(draw, alt, points, table, margins=(0.1, 0.77, 0.92, 0.12))


def control_sentences(control: Control) -> str:
    """What a control chart shows, in a few sentences."""
    if control.reason:
        return f"No control chart: {control.reason}."
    points = control.points
    last = points.iloc[-1]
    phase = points[points["phase"] == last["phase"]]
    since = f" since {phase['period'].iloc[0]}" if last["phase"] else ""
    mean, lower, upper, target = (
        figure_text(value, control.unit)
        for value in (last["centre"], last["lower"], last["upper"], control.target)
    )
    sentences = [
        f"{counted(points['value'].count(), 'quarter')} up to {last['period']}: the mean{since} is "
        f"{mean}, and ordinary variation runs from {lower} to {upper}"
    ]
    signs = _control_signs(points)
    if signs:
        sentences.append(f"Signs that something has changed: {'; '.join(signs)}")
    else:
        sentences.append("There is no sign of anything but ordinary variation")
    if pd.notna(control.season):
        sentences.append(
            f"But read this with care: beside any drift, the time of year explains about "
            f"{control.season:.0%} of how the quarters differ, so a figure near a limit may be the "
            "season alone, and the wide limits may hide a change"
        )
    if last["trial"]:
        sentences.append(
            f"With {counted(int(phase['value'].count()), 'quarter')}, fewer than {TRIAL_BELOW}, "
            "these are trial limits, which each new quarter moves"
        )
    sentences += [
        f"Mean and limits start anew at {period}: {reason.rstrip('.')}"
        for period, reason in control.rebases.items()
    ]
    sentences += [
        f"Mean and limits do not start anew at {period} ({reason.rstrip('.')}): {obstacle}"
        for period, (reason, obstacle) in control.refused.items()
    ]
    if control.assurance:
        sentences.append(f"The target of {target} {_ASSURANCE_TEXTS[control.assurance]}")
    missing = points.loc[points["value"].isna(), "period"].tolist()
    if missing:
        sentences.append(f"There is no figure for {listed(missing)}")
    if last["flag"] == "provisional":
        sentences.append(f"The figure for {last['period']} is provisional and may still change")
    return ". ".join(sentences) + "."


#: What an assurance says of the target.
_ASSURANCE_TEXTS = {
    "consistently hits": "lies outside the limits on the good side: while nothing changes, "
    "quarters meet it",
    "consistently misses": "lies outside the limits: while nothing changes, no quarter is likely "
    "to meet it",
    "unreliable": "lies within the limits: while nothing changes, some quarters meet it and some "
    "do not, by ordinary variation",
}

#: What each rule's sign in a direction says of quarters.
_SIGN_TEXTS = {
    ("outside", 1): "above the upper limit",
    ("outside", -1): "below the lower limit",
    ("run", 1): f"in a run of {RUN} or more above the mean",
    ("run", -1): f"in a run of {RUN} or more below the mean",
    ("trend", 1): f"in a row of {TREND} or more, each higher than the one before",
    ("trend", -1): f"in a row of {TREND} or more, each lower than the one before",
    ("two_in_three", 1): "close to the upper limit, two in three quarters",
    ("two_in_three", -1): "close to the lower limit, two in three quarters",
}


def _control_signs(points: pd.DataFrame) -> list[str]:
    """Each sign of a special cause: which quarters, by which rule, and which way it points."""
    signs = []
    new_phase = points["phase"].diff().astype(bool)
    for (rule, direction), text in _SIGN_TEXTS.items():
        marked = points[rule] == direction
        # A new stretch begins where the mark, or the phase, does.
        begins = marked & (new_phase | ~marked.shift(fill_value=False))
        for _, stretch in points[marked].groupby(begins.cumsum()[marked]):
            first, last = stretch["period"].iloc[0], stretch["period"].iloc[-1]
            quarters = first if first == last else f"{first} to {last}"
            kinds = stretch["kind"].unique()
            kind = f" ({kinds[0]})" if len(kinds) == 1 else ""
            signs.append((stretch.index[0], f"{quarters}, {text}{kind}"))
    return [text for _, text in sorted(signs)]


#: Colour, marker and size of each kind of figure in a control chart.
CONTROL_MARKS = {
    "ordinary": (GREY, "o", 6),
    "improvement": (BLUE, "D", 9),
    "concern": (ORANGE, "^", 11),
}


def _draw_limits(axes: Axes, control: Control) -> Labels:
    """Mean, limits and target; gives the labels that belong at the right edge."""
    points = control.points
    for _, phase in points.groupby("phase"):
        ends = phase["period_end"]
        # Trial limits are dotted, others dashed.
        style = (0, (1, 2)) if phase["trial"].iloc[0] else chart.DASHED
        axes.plot(ends, phase["centre"], color=GREY, linewidth=1.5)
        for limit in ("lower", "upper"):
            axes.plot(ends, phase[limit], color=GREY, linestyle=style, linewidth=1.5)
    last = points.iloc[-1]
    kind = "trial limit" if last["trial"] else "limit"
    names = {"centre": "Mean", "upper": f"Upper {kind}", "lower": f"Lower {kind}"}
    lines = [(last[column], name, GREY) for column, name in names.items()]
    if pd.notna(control.target):
        axes.axhline(control.target, color=TEAL, linestyle=(0, (5, 2, 1, 2)), linewidth=1.5)
        lines.append((control.target, "Target", TEAL))
    return [
        (value, last["period_end"], f"{name} {figure_text(value, control.unit)}", colour)
        for value, name, colour in lines
    ]


def _draw_quarters(axes: Axes, points: pd.DataFrame) -> None:
    """The figures, with a colour and a shape for what stands out; provisional ones are hollow."""
    for _, phase in points.groupby("phase"):
        axes.plot(phase["period_end"], phase["value"], color=GREY, linewidth=1)
    firm = points["flag"].isin(["final", "revised"])
    for kind, (colour, marker, size) in CONTROL_MARKS.items():
        of_kind = points["kind"] == kind
        shape: dict[str, Any] = {"marker": marker, "markersize": size, "color": colour}
        shape["linestyle"] = "none"
        for rows, style in ((of_kind & firm, shape), (of_kind & ~firm, shape | chart.HOLLOW)):
            axes.plot(points["period_end"][rows], points["value"][rows], **style)
        if of_kind.any():
            axes.plot([], [], **shape, label=kind.capitalize())
    if (points["kind"] != "ordinary").any():
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1.0), ncols=3, title=None)


def _mark_rebases(axes: Axes, control: Control) -> None:
    """A line before the first quarter of each new phase, with its name."""
    ends = control.points.set_index("period")["period_end"]
    for period in control.rebases:
        between, style = ends[period] - pd.Timedelta(days=46), {"bbox": chart.BEHIND_WORDS}
        chart.mark_beginning(axes, between, f"From {period}", 0.8, fontsize=11, **style)
