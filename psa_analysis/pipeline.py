"""The chain, as a story: load, clean, keep what was known, read, forecast, assess."""

from __future__ import annotations

import ast
import os
import pickle
import sys
from dataclasses import replace
from datetime import date, timedelta
from functools import lru_cache
from pathlib import Path

import pandas as pd

from psa_analysis.analysis.assessment import assess
from psa_analysis.analysis.commitments import follow, load_progress
from psa_analysis.analysis.control import check_rebases
from psa_analysis.analysis.disclosure import protect
from psa_analysis.analysis.effectiveness import check_baskets, effectiveness
from psa_analysis.analysis.outlook import outlooks
from psa_analysis.analysis.readings import readings
from psa_analysis.analysis.trajectory import with_seasons
from psa_analysis.findings import Finding, ParameterError, did_you_mean, errors, one_of
from psa_analysis.periods import Period, parse_reporting_period, period_containing
from psa_analysis.register.agreement import Agreement, measure_period
from psa_analysis.register.commentary import load_commentary
from psa_analysis.register.loading import load_agreement
from psa_analysis.report import AUDIENCES, Report
from psa_analysis.returns.cleaning import as_of, clean_returns
from psa_analysis.returns.series import check_series
from psa_analysis.returns.sources import as_table, load_corrections, read_sidecars
from psa_analysis.returns.table import load_returns
from psa_analysis.words import day_text

#: The project's folder; relative paths start here, wherever a command or notebook runs.
ROOT = Path(__file__).resolve().parent.parent

#: Names the file in which a run keeps its report for its notebooks, while it runs.
REPORT_OF_RUN = "PSA_ANALYSIS_REPORT_OF_RUN"
#: What the cell tagged "parameters" of every notebook sets.
PARAMETERS = ("period", "data", "audience")


def load_observations(agreement: Agreement) -> tuple[pd.DataFrame, list[Finding]]:
    """Load and clean every return of an agreement: observations and findings."""
    sidecars, findings = read_sidecars(agreement.folder)
    known = {
        "measure": [*agreement.measures.index, *agreement.measures["title"]],
        "area": agreement.areas["area"],
    }
    table, unread = load_returns(agreement.folder, sidecars, known)
    corrections, unfit = load_corrections(agreement.folder)
    observations, doubts = clean_returns(table, agreement, corrections=corrections)
    series = [*check_series(observations, agreement), *check_baskets(observations, agreement)]
    _, unclear = load_progress(agreement)
    _, unfit_words = load_commentary(agreement)
    rebases = check_rebases(observations, agreement)
    return observations, [
        *findings,
        *unread,
        *unfit,
        *doubts,
        *series,
        *unclear,
        *rebases,
        *unfit_words,
    ]


def make_report(
    agreement: Agreement,
    observations: pd.DataFrame,
    findings: list[Finding],
    period: Period,
    audience: str = "internal",
) -> Report:
    """Assess one reporting period from what was known at its cut-off.

    A public report is made from all figures and then loses those that must not be shown.
    """
    cut_off = period.end + timedelta(days=agreement.settings.calendar.cut_off_days)
    known = as_of(observations, cut_off)
    agreement = with_seasons(agreement, known)
    read = readings(known, agreement)
    # Nothing of a period that had not ended by the report's goes into its forecasts.
    ended = known[known["period_end"] <= pd.Timestamp(period.end)]
    vintages = observations[observations["received"] <= pd.Timestamp(cut_off)]
    ahead = outlooks(ended, vintages, agreement, period.end)
    refused = {(one.measure, one.period) for one in errors(findings) if one.measure and one.period}
    report = Report(
        agreement=agreement,
        period=period,
        cut_off=cut_off,
        audience=audience,
        observations=observations,
        known=known,
        readings=read,
        outlooks=ahead,
        assessment=assess(read, agreement, period, refused, ahead),
        effectiveness=effectiveness(read, agreement, period.end),
        commitments=follow(agreement, load_progress(agreement)[0], observations, period),
        sources=as_table(read_sidecars(agreement.folder)[0]),
        findings=tuple(findings),
        commentary=load_commentary(agreement)[0],
        report_at=report_at,
    )
    return protect(report) if audience == "public" else report


def report_at(report: Report, period: Period) -> Report:
    """The report of another period, from the same data as known at that period's cut-off."""
    if report.audience == "public":
        # States rest on all figures, which a public report does not hold. What it does not show,
        # the one beside it must not show either.
        observations, findings = load_observations(report.agreement)
        whole = make_report(report.agreement, observations, findings, period)
        return protect(whole, report.withheld)
    return make_report(
        report.agreement, report.observations, list(report.findings), period, report.audience
    )


def open_report(
    period: str, data: str = "data", audience: str = "internal", theme: str | None = None
) -> Report:
    """Everything that the pages of a period show: what a notebook starts with."""
    refuse_unknown_parameters()
    reporting_period = parse_reporting_period(period)
    if audience not in AUDIENCES:
        raise ParameterError(f"audience is '{audience}'; expected one of {', '.join(AUDIENCES)}")
    report = _report_of_run()
    if report is None or (report.period, report.audience, report.agreement.folder.resolve()) != (
        reporting_period,
        audience,
        (ROOT / data).resolve(),
    ):
        agreement = load_agreement(ROOT / data)
        observations, findings = load_observations(agreement)
        report = make_report(agreement, observations, findings, reporting_period, audience)
    if theme is None:
        return report
    themes = report.agreement.settings.themes
    if theme not in themes:
        remedy = did_you_mean(theme, themes)
        raise ParameterError(f"theme is '{theme}'; expected {one_of(themes)}. {remedy}")
    return replace(report, theme=theme)


def _report_of_run() -> Report | None:
    """The report that the run has made which this notebook is part of; None outside a run."""
    path = os.environ.get(REPORT_OF_RUN)
    return kept_report(Path(path)) if path else None


@lru_cache(maxsize=1)
def kept_report(path: Path) -> Report:
    """The report that a run keeps for its notebooks: read once by each process."""
    made = pickle.loads(path.read_bytes())
    assert isinstance(made, Report)
    return made


def refuse_unknown_parameters() -> None:
    """Refuse a name that papermill injected and no notebook has.

    Papermill itself only warns, so a mistyped parameter would silently leave the default. It
    writes its values in a cell that begins with ``# Parameters``, which the kernel remembers.
    """
    interactive = sys.modules.get("IPython")
    shell = interactive.get_ipython() if interactive else None
    if shell is None:
        return
    # Papermill's cell follows the first one; an analyst's own may begin with the same words.
    for source in shell.user_ns.get("In", [])[1:4]:
        if not source.startswith("# Parameters\n"):
            continue
        for statement in ast.parse(source).body:
            for name in ast.walk(statement):
                if isinstance(name, ast.Name) and isinstance(name.ctx, ast.Store):
                    _refuse_unless_known(name.id)


def _refuse_unless_known(name: str) -> None:
    if name not in PARAMETERS:
        raise ParameterError(
            f"there is no parameter '{name}'; expected {one_of(PARAMETERS)}. "
            + did_you_mean(name, PARAMETERS)
        )


def latest_period(agreement: Agreement, today: date) -> Period:
    """The newest quarter whose report is due: its cut-off has passed.

    After the agreement the last one stays: the quarter in which the last measure fell due.
    """
    days = agreement.settings.calendar.cut_off_days
    settings = agreement.settings.agreement
    first = period_containing(settings.begins, "quarter")
    counted = agreement.measures[agreement.measures["role"] == "target"]
    dues = [measure_period(measure, "due") for _, measure in counted.iterrows()]
    ends = [due.end for due in dues if due is not None]
    last = period_containing(max([settings.last.end, *ends]), "quarter")
    newest = period_containing(today - timedelta(days=days), "quarter")
    if newest.end + timedelta(days=days) > today:
        newest = period_containing(newest.start - timedelta(days=1), "quarter")
    if newest.end < first.end:
        due = first.end + timedelta(days=days)
        raise ParameterError(f"the first report, of {first}, is due on {day_text(due)}")
    return min(newest, last, key=lambda one: one.end)


def quarters_between(first: Period, last: Period) -> list[Period]:
    """The quarters from one to another, both included."""
    if last.end < first.end:
        raise ParameterError(f"{last} is before {first}; --from is the earlier of the two")
    quarters = [first]
    while quarters[-1].end < last.end:
        quarters.append(period_containing(quarters[-1].end + timedelta(days=1), "quarter"))
    return quarters
