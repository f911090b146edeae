"""Sections: what a measure has beside its readings, for the page of its theme."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from psa_analysis.report import Report
from psa_analysis.show.control import control_chart
from psa_analysis.show.effectiveness import cost_effectiveness
from psa_analysis.show.families import family, family_of, funnel
from psa_analysis.show.parts import by_part, hotspots
from psa_analysis.show.trajectories import context
from psa_analysis.show.views import View


def further(report: Report, measure: str) -> list[View]:
    """The views that a measure has: control chart, parts, families; none that would say "none"."""
    views = [
        (control_chart(report, measure), "Quarter by quarter"),
        (by_part(report, measure), "Part by part"),
        (hotspots(report, measure), "Which parts differ by more than chance"),
        *_families(report, measure),
    ]
    section = report.agreement.settings.effectiveness
    if section and section.index == measure:
        views.append((cost_effectiveness(report), "What the index is made of"))
    reference = report.agreement.measures.at[measure, "reference"]
    of_target = [row for row in report.measures() if report.rows[row]["reference"] == reference]
    if of_target[-1:] == [measure]:
        views.append((context(report, reference), f"Published figures that bear on {reference}"))
    return [view.under(heading) for view, heading in views if not view.reason]


def _families(report: Report, measure: str) -> Iterator[tuple[View, str]]:
    """Where the area stands in each family whose figures are real and of the last years."""
    measures = report.agreement.measures
    same_target = measures["reference"] == measures.at[measure, "reference"]
    followed = measures.index[same_target & (measures["role"] == "context")]
    for family_name in report.agreement.families["family"].unique():
        for name in (measure, *followed):
            standings = family_of(report, name, family_name).standings
            if standings.empty or standings["illustrative"].iloc[-1]:
                continue
            if standings["period_end"].iloc[-1] > pd.Timestamp(report.period.end) - pd.DateOffset(
                years=10
            ):
                title = f"Among the {family_name}: {measures.at[name, 'title']}"
                yield family(report, name, family_name), title
                yield funnel(report, name, family_name), "What chance allows"
