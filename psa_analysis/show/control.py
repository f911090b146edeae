"""Control charts: whether a quarter is ordinary or a sign of change."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pandas as pd

from psa_analysis import words
from psa_analysis.analysis.control import FROZEN_FROM, Control, measure_control
from psa_analysis.files import meanings
from psa_analysis.periods import parse_period
from psa_analysis.register.agreement import observed_units
from psa_analysis.report import Report, assessment_row, memoised, own_readings
from psa_analysis.show import chart
from psa_analysis.show.chart import BLUE, GREY, ORANGE, TEAL, Axes, Chart, Labels
from psa_analysis.show.tables import Column, rows_table, sentence
from psa_analysis.show.views import View, no_view


@memoised
def control_of(report: Report, measure: str) -> Control:
    """The control chart of one measure up to the reporting period, or why there is none."""
    assessment_row(report, measure)
    agreement, definition = report.agreement, report.agreement.measures.loc[measure]
    rebases = agreement.rebases[agreement.rebases["measure"] == measure].set_index("period")
    unit, baseline = observed_units(agreement.measures)[measure], definition["baseline_at"]
    # What lies before the agreement is baseline too, where a stated one is older.
    until = agreement.settings.agreement.begins - timedelta(days=1)
    until = max(until, baseline.end) if baseline else until
    readings, reasons = own_readings(report, measure), rebases["reason"].to_dict()
    control = measure_control(readings, definition, str(unit), reasons, until)
    # Proposals are for those who keep the register.
    return control if report.audience == "internal" else replace(control, proposed=pd.Series())


def control_chart(report: Report, measure: str) -> View:
    """The control chart of one measure: its quarters, their mean and limits, what stands out."""
    if (control := control_of(report, measure)).reason:
        return no_view(f"No control chart: {control.reason}.")
    points, text = control.points, control_text(control)

    def draw(axes: Axes) -> None:
        labels = _draw_limits(axes, control)
        _draw_quarters(axes, control)
        axes.margins(x=0.03, y=0.12)
        chart.finish_time_axes(axes, labels, control.unit)
        for period in control.rebases:
            begins = pd.Timestamp(parse_period(period).start)
            style = {"fontsize": 11, "bbox": chart.BEHIND_WORDS}
            chart.mark_beginning(axes, begins, f"From {period}", **style)

    columns = [Column("Quarter", "period"), Column.figure("Figure", "observed")]
    if pd.notna(control.season):
        columns.append(Column.figure("Adjusted for the time of year", "value"))
    lines = {"Mean": "centre", "Lower limit": "lower", "Upper limit": "upper"}
    columns += [Column.figure(heading, line) for heading, line in lines.items()]
    columns += [Column("Kind"), Column("Because", _rules), Column("Flag")]
    rows, caption = points.assign(unit=control.unit), f"{measure}, quarter by quarter"
    table = rows_table(rows, columns, caption, folded=True)
    alt = f"Control chart of {assessment_row(report, measure)['title']}. {text}"
    picture = Chart(draw, alt, points, table, margins=(0.1, 0.77, 0.92, 0.12))
    return View(words=lambda: sentence(text), chart=lambda: picture, data=points)


def _rules(point: pd.Series) -> str:
    """The rules that mark one quarter."""
    rules = {"outside": "beyond a limit", "run": "run", "trend": "trend"}
    rules["two_in_three"] = "two in three"
    return words.listed([rule for name, rule in rules.items() if point[name]]) or "–"


def control_text(control: Control) -> str:
    """What a control chart shows, in a sentence, and what a reader must know of it."""
    points, signs = control.points, []
    stretches = points[["kind", "phase"]].ne(points[["kind", "phase"]].shift()).any(axis=1).cumsum()
    for _, stretch in points[points["kind"] != "ordinary"].groupby(stretches):
        quarters = " to ".join(stretch["period"].iloc[[0, -1]].unique())
        signs.append(f"{stretch['kind'].iloc[0]}, {quarters}")
    text = f"no sign of change in {words.counted(points['value'].count(), 'quarter')}"
    if signs:
        text = f"signs of change: {'; '.join(signs)}"
    elif control.changed:
        text = "no single quarter stands out"
    trial = " (trial limits)" if points["trial"].iloc[-1] else ""
    assured = meanings("assurances").get(control.assurance)
    texts = [f"{text}{trial}; if nothing changes, {assured}" if assured else f"{text}{trial}"]
    if len(control.newest):
        means = [each.mean() for each in (control.newest, control.before)]
        now, then = (words.figure_text(mean, control.unit) for mean in means)
        better = "better" if control.changed == "improvement" else "worse"
        differs = f"{better} beyond chance than" if control.changed else "within chance of"
        quarters = words.counted(len(control.newest), "quarter")
        before = f"{then} of {control.before.index[0]} to {control.before.index[-1]}"
        if len(control.before) >= FROZEN_FROM:
            before = f"baseline's {then}"
        texts.append(f"the newest {quarters}, {now} on average, are {differs} the {before}")
    if pd.notna(control.season):
        texts.append(f"adjusted for the time of year ({control.season:.0%} of the variation)")
    for period, reason in control.rebases.items():
        texts.append(f"mean and limits start anew at {period}: {reason}")
    if len(held := control.proposed):
        side = "above" if held.iloc[0] > 0 else "below"
        where = f"at {held.index[0]}, after {len(held)} quarters {side} the mean"
        texts.append(f"proposed: start mean and limits anew {where} (register/rebases.csv)")
    return words.as_sentences(texts)


def _draw_limits(axes: Axes, control: Control) -> Labels:
    """Mean, limits and target; gives the labels that belong at the right edge."""
    last, days = control.points.iloc[-1], control.points["period_end"]
    if len(control.before) >= FROZEN_FROM:
        begin, end = days[control.points["period"].isin(control.before.index[[0, -1]])]
        axes.axvspan(begin, end, color=GREY, alpha=0.12, linewidth=0)
        chart.mark_beginning(axes, begin, "Baseline", fontsize=11, bbox=chart.BEHIND_WORDS)
    for _, phase in control.points.groupby("phase"):
        axes.plot(phase["period_end"], phase["centre"], color=GREY, linewidth=1.5)
        limits = phase[["lower", "upper"]]
        axes.plot(phase["period_end"], limits, color=GREY, linewidth=1.5, linestyle=chart.DASHED)
    kind = "trial limit" if last["trial"] else "limit"
    names = {"centre": "Mean", "upper": f"Upper {kind}", "lower": f"Lower {kind}"}
    lines = [(last[line], name, GREY) for line, name in names.items()]
    if pd.notna(control.target):
        axes.axhline(control.target, color=TEAL, linestyle=(0, (5, 2, 1, 2)), linewidth=1.5)
        lines.append((control.target, "Target", TEAL))
    return [
        (value, last["period_end"], f"{name} {words.figure_text(value, control.unit)}", colour)
        for value, name, colour in lines
    ]


def _draw_quarters(axes: Axes, control: Control) -> None:
    """The figures, with a colour and a shape for what stands out; provisional ones are hollow."""
    points = control.points
    if pd.notna(control.season):
        days, observed = points["period_end"], points["observed"]
        axes.plot(days, observed, "x", color=GREY, alpha=0.6, label="As observed")
    for _, phase in points.groupby("phase"):
        axes.plot(phase["period_end"], phase["value"], color=GREY, linewidth=1)
    marks = {
        "ordinary": (GREY, "o", 6),
        "improvement": (BLUE, "D", 9),
        "concern": (ORANGE, "^", 11),
    }
    for kind, (colour, marker, size) in marks.items():
        of_kind = points[points["kind"] == kind]
        firm = of_kind["flag"].isin(["final", "revised"])
        style: dict[str, Any] = {"markersize": size, "color": colour}
        for rows, more in ((of_kind[firm], {}), (of_kind[~firm], chart.HOLLOW)):
            axes.plot(rows["period_end"], rows["value"], marker, **style, **more)
        if len(of_kind):
            axes.plot([], [], marker, **style, label=kind.capitalize())
    if (points["kind"] != "ordinary").any() or pd.notna(control.season):
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1.0), ncols=4, title=None)
