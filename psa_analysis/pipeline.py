"""The chain, as a story: load, clean, keep what was known, read, assess."""

from __future__ import annotations

import ast
import os
import pickle
import sys
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from functools import cached_property, lru_cache, wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

import pandas as pd

from psa_analysis.assessment import assess
from psa_analysis.commitments import follow, load_progress
from psa_analysis.control import (
    OUR_RULES,
    Control,
    ControlRules,
    check_rebases,
    measure_control,
    register_rebases,
)
from psa_analysis.disclosure import NOT_SHOWN, protect
from psa_analysis.effectiveness import Effectiveness, check_baskets, effectiveness
from psa_analysis.files import write_bytes
from psa_analysis.findings import Finding, ParameterError, did_you_mean, errors, one_of
from psa_analysis.loading import csv_text
from psa_analysis.outlook import Outlook, outlooks
from psa_analysis.performance import readings
from psa_analysis.periods import (
    Period,
    parse_period,
    parse_reporting_period,
    period_containing,
)
from psa_analysis.register.agreement import Agreement, measure_period, observed_units
from psa_analysis.register.commentary import load_commentary
from psa_analysis.register.loading import load_agreement
from psa_analysis.returns.cleaning import as_of, check_series, clean_returns
from psa_analysis.returns.corrections import load_corrections
from psa_analysis.returns.provenance import as_table, read_sidecars
from psa_analysis.returns.reading import load_returns
from psa_analysis.show.words import day_text as day_text
from psa_analysis.trajectory import planned_path, season_factors

if TYPE_CHECKING:
    from psa_analysis.show.interactive import MeasureView

#: The project's folder; relative paths start here, wherever a command or notebook runs.
ROOT = Path(__file__).resolve().parent.parent

AUDIENCES = ("internal", "public")

#: Names the file in which a run keeps its report for its notebooks, while it runs.
REPORT_OF_RUN = "PSA_ANALYSIS_REPORT_OF_RUN"
#: What the cell tagged "parameters" of every notebook sets.
PARAMETERS = ("period", "data", "audience")


P = ParamSpec("P")
T = TypeVar("T")


def remembered(work: Callable[Concatenate[Report, P], T]) -> Callable[Concatenate[Report, P], T]:
    """What the words, the picture and the table of a page ask of one report, worked out once.

    It is kept with the report and goes with it.
    """

    @wraps(work)
    def again(report: Report, /, *given: P.args, **named: P.kwargs) -> T:
        name = f"{work.__module__}.{work.__qualname__}"
        asked = (name, given, tuple(sorted(named.items())))
        if asked not in report.worked_out:
            report.worked_out[asked] = work(report, *given, **named)
        found: T = report.worked_out[asked]
        # Whoever changes a frame changes their own; nothing is copied until then.
        return found.copy(deep=False) if isinstance(found, pd.DataFrame) else found

    return again


@dataclass(frozen=True, repr=False, eq=False)
class Report:
    """Everything that the pages of one reporting period show; equal to itself alone.

    Its frames are not to be changed, for what was once made from them is kept. A report with
    others is made by ``dataclasses.replace``.

    Attributes
    ----------
    agreement : Agreement
        Settings and register.
    period : Period
        The reporting period, a quarter.
    cut_off : date
        Figures received later are left out.
    audience : str
        Whom the pages are for, one of :data:`AUDIENCES`.
    observations : pandas.DataFrame
        Every clean observation, all vintages.
    readings : pandas.DataFrame
        The readings that count, from what was known at the cut-off.
    outlooks : dict of str to Outlook
        The forecast of each measure, or why there is none.
    assessment : pandas.DataFrame
        One row per measure.
    commitments : pandas.DataFrame
        One row per commitment of the strategy (:func:`psa_analysis.commitments.follow`).
    effectiveness : Effectiveness
        What the index of cost-effectiveness is made of; empty if the register has no baskets.
    sources : pandas.DataFrame
        The data log: one row per raw file, from its sidecar.
    findings : tuple of Finding
        What is wrong or doubtful in the returns.
    commentary : pandas.DataFrame
        What people wrote, for every report
        (:func:`psa_analysis.register.commentary.load_commentary`).
    withheld : pandas.DataFrame
        The figures that a public report does not hold, since they are small
        (:data:`psa_analysis.disclosure.WITHHELD_COLUMNS`); empty for the audience ``internal``.
    theme : str or None
        The theme whose measures it holds; None where it holds all of them.
    whole : Report or None
        The report of all themes that it is a part of, which forecasts were made from.
    """

    agreement: Agreement
    period: Period
    cut_off: date
    audience: str
    observations: pd.DataFrame
    readings: pd.DataFrame
    outlooks: dict[str, Outlook]
    assessment: pd.DataFrame
    effectiveness: Effectiveness
    commitments: pd.DataFrame
    sources: pd.DataFrame
    findings: tuple[Finding, ...]
    commentary: pd.DataFrame
    withheld: pd.DataFrame = field(default_factory=pd.DataFrame)
    theme: str | None = None
    whole: Report | None = None

    @cached_property
    def before(self) -> Report | None:
        """The report of the quarter before; None in the agreement's first quarter and earlier."""
        if self.theme and self.whole:
            return self.whole.before and of_theme(self.whole.before, self.theme)
        begun = parse_period(self.agreement.settings.agreement.first_year).start
        if self.period.start <= begun:
            return None
        day = self.period.start - timedelta(days=1)
        return report_at(self, period_containing(day, "quarter"))

    @cached_property
    def known(self) -> pd.DataFrame:
        """The observations that had come in by the cut-off, the newest vintage of each."""
        return as_of(self.observations, self.cut_off)

    @cached_property
    def own_readings(self) -> dict[str, pd.DataFrame]:
        """The readings of the agreement's area up to the reporting period, by measure.

        With those that could not be made; oldest first.
        """
        made = self.readings
        mine = made["area"] == self.agreement.settings.agreement.area
        mine &= made["period_end"] <= pd.Timestamp(self.period.end)
        own = made[mine].sort_values("period_end", kind="stable")
        return {str(name): rows for name, rows in own.groupby("measure", sort=False)}

    @cached_property
    def worked_out(self) -> dict[Any, Any]:
        """What was worked out from it (:func:`remembered`)."""
        return {}

    @cached_property
    def rows(self) -> dict[str, pd.Series]:
        """The assessment's rows, by measure."""
        names = self.assessment["measure"]
        return {str(name): self.assessment.iloc[place] for place, name in enumerate(names)}

    def __repr__(self) -> str:
        return (
            f"{self.agreement.settings.agreement.name}, {self.period} "
            f"({self.audience}; figures received by {day_text(self.cut_off)})"
        )

    def __getitem__(self, measure: str) -> MeasureView:
        """One measure as a reader sees it, for example ``report["N13"]``."""
        # Here, since charts read reports, and drawing is not needed to make one.
        from psa_analysis.show.interactive import MeasureView

        assessment_row(self, measure)
        return MeasureView(self, measure)

    def _ipython_key_completions_(self) -> list[str]:
        return self.assessment["measure"].tolist()


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


def with_seasons(agreement: Agreement, known: pd.DataFrame) -> Agreement:
    """The agreement, with the seasons of each measure whose planned path has them.

    Parameters
    ----------
    agreement : Agreement
    known : pandas.DataFrame
        Observations with one vintage each (:func:`psa_analysis.returns.cleaning.as_of`).

    Returns
    -------
    Agreement
        Its column ``seasons`` of measures filled in for the profile ``seasonal``, from the
        years that ended before the agreement began; empty where there are too few.
    """
    settings, measures = agreement.settings.agreement, agreement.measures
    names = measures.index[measures["profile"] == "seasonal"]
    if names.empty:
        return agreement
    begun = parse_period(settings.first_year).start
    here = known[known["area"] == settings.area]
    seasons = {name: season_factors(here[here["measure"] == name], begun) for name in names}
    filled = [seasons.get(str(name), ()) for name in measures.index]
    return replace(agreement, measures=measures.assign(seasons=filled))


def make_report(
    agreement: Agreement,
    observations: pd.DataFrame,
    findings: list[Finding],
    period: Period,
    audience: str = "internal",
) -> Report:
    """Assess one reporting period from what was known at its cut-off.

    A public report is made from all figures and then loses those that must not be shown
    (:func:`psa_analysis.disclosure.protect`).
    """
    cut_off = period.end + timedelta(days=agreement.settings.calendar.cut_off_days)
    known = as_of(observations, cut_off)
    agreement = with_seasons(agreement, known)
    read = readings(known, agreement)
    # Nothing of a period that had not ended by the report's goes into its forecasts.
    until = pd.Timestamp(period.end)
    vintages = observations[observations["received"] <= pd.Timestamp(cut_off)]
    ahead = outlooks(known[known["period_end"] <= until], vintages, agreement, period.end)
    sources = as_table(read_sidecars(agreement.folder)[0])
    promised = follow(agreement, load_progress(agreement)[0], observations, period)
    refused = {(one.measure, one.period) for one in errors(findings) if one.measure and one.period}
    report = Report(
        agreement, period, cut_off, audience, observations, read, ahead,
        assess(read, agreement, period, refused, ahead),
        effectiveness(read, agreement, period.end), promised, sources, tuple(findings),
        load_commentary(agreement)[0],
    )  # fmt: skip
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


def of_theme(report: Report, theme: str) -> Report:
    """A report with the figures of one theme's measures and nothing of others but the register.

    Parameters
    ----------
    report : Report
    theme : str
        A theme of ``agreement.toml``.

    Raises
    ------
    ParameterError
        If there is no such theme.
    """
    agreement = report.agreement
    themes = agreement.settings.themes
    if theme not in themes:
        remedy = did_you_mean(theme, themes)
        raise ParameterError(f"theme is '{theme}'; expected {one_of(themes)}. {remedy}")
    of_measures = agreement.measures["reference"].map(agreement.targets["theme"])
    names = set(of_measures.index[of_measures == theme])

    def only(frame: pd.DataFrame) -> pd.DataFrame:
        if frame.empty:
            return frame
        return frame[frame["measure"].isin(names)].reset_index(drop=True)

    observations = only(report.observations)
    files = set(observations["file"])
    said, spent = report.commentary, report.effectiveness
    index = agreement.settings.effectiveness
    return replace(
        report,
        observations=observations,
        readings=only(report.readings),
        outlooks={name: ahead for name, ahead in report.outlooks.items() if name in names},
        assessment=only(report.assessment),
        effectiveness=spent
        if index and index.index in names
        else Effectiveness((), spent.indicators[:0], spent.components[:0], spent.overall[:0]),
        commitments=report.commitments.iloc[:0],
        sources=report.sources[report.sources["file"].isin(files)].reset_index(drop=True),
        findings=tuple(one for one in report.findings if one.measure in names),
        commentary=said[said["about"].isin(names)].reset_index(drop=True),
        withheld=only(report.withheld),
        theme=theme,
        whole=report,
    )


def open_report(
    period: str, data: str = "data", audience: str = "internal", theme: str | None = None
) -> Report:
    """Everything that the pages of a period show: what a notebook starts with.

    Parameters
    ----------
    period : str
        The reporting quarter, such as ``2004-05 Q3``.
    data : str
        The agreement's data folder; a relative path starts at the project's folder.
    audience : {"internal", "public"}
        Whom the pages are for.
    theme : str, optional
        A theme of ``agreement.toml``: the report of its measures alone. A run makes the page of a
        notebook that asks for one anew only when something of that theme has changed.

    Raises
    ------
    ParameterError
        If a parameter cannot be used, or papermill was given one that does not exist.
    DataError
        If the register has errors.
    """
    refuse_unknown_parameters()
    reporting_period = parse_reporting_period(period)
    if audience not in AUDIENCES:
        raise ParameterError(f"audience is '{audience}'; expected one of {', '.join(AUDIENCES)}")
    made = _report_of_run()
    if made is not None and (made.period, made.audience, made.agreement.folder.resolve()) == (
        reporting_period, audience, (ROOT / data).resolve(),
    ):  # fmt: skip
        report = made
    else:
        agreement = load_agreement(ROOT / data)
        observations, findings = load_observations(agreement)
        report = make_report(agreement, observations, findings, reporting_period, audience)
    return of_theme(report, theme) if theme else report


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

    Raises
    ------
    ParameterError
        Naming the parameter, and the nearest one that exists.
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


def assessment_row(report: Report, measure: str) -> pd.Series:
    """The assessment of one measure.

    Raises
    ------
    KeyError
        If there is no such measure in it.
    """
    if measure not in report.rows:
        measures = list(report.rows)
        raise KeyError(
            f"there is no measure '{measure}'; the assessment has {', '.join(measures)}. "
            + did_you_mean(str(measure), measures)
        )
    return report.rows[measure]


def readings_with_path(report: Report, measure: str) -> pd.DataFrame:
    """The readings of one measure up to the reporting period, with the planned path beside them.

    Returns
    -------
    pandas.DataFrame
        The columns of :data:`psa_analysis.performance.READING_COLUMNS` and ``planned``.
    """
    own = _own_readings(report, measure)
    own = own[own["reading"].notna()].reset_index(drop=True)
    path = planned_path(report.agreement.measures.loc[measure], own["period_end"])
    return own.assign(planned=path)


def readings_not_shown(report: Report, measure: str) -> pd.DataFrame:
    """The readings of one measure, up to the reporting period, that a public report holds back."""
    own = _own_readings(report, measure)
    return own[own["missing"] == NOT_SHOWN].reset_index(drop=True)


def _own_readings(report: Report, measure: str) -> pd.DataFrame:
    return report.own_readings.get(measure, report.readings.head(0))


def control_of(report: Report, measure: str, rules: ControlRules = OUR_RULES) -> Control:
    """The control chart of one measure up to the reporting period, or why there is none.

    Raises
    ------
    KeyError
        If there is no such measure in the assessment.
    """
    assessment_row(report, measure)
    agreement = report.agreement
    unit = str(observed_units(agreement.measures)[measure])
    return measure_control(
        _own_readings(report, measure), agreement.measures.loc[measure], unit,
        register_rebases(agreement, measure), rules,
    )  # fmt: skip


def latest_period(agreement: Agreement, today: date) -> Period:
    """The newest quarter whose report is due: its cut-off has passed.

    After the agreement the last one stays: the quarter in which the last measure fell due.

    Raises
    ------
    ParameterError
        If the first report is not due yet.
    """
    days = agreement.settings.calendar.cut_off_days
    settings = agreement.settings.agreement
    first = period_containing(parse_period(settings.first_year).start, "quarter")
    counted = agreement.measures[agreement.measures["role"] == "target"]
    dues = [measure_period(measure, "due") for _, measure in counted.iterrows()]
    ends = [due.end for due in dues if due is not None]
    last = period_containing(max([parse_period(settings.last_year).end, *ends]), "quarter")
    newest = period_containing(today - timedelta(days=days), "quarter")
    if newest.end + timedelta(days=days) > today:
        newest = period_containing(newest.start - timedelta(days=1), "quarter")
    if newest.end < first.end:
        due = first.end + timedelta(days=days)
        raise ParameterError(f"the first report, of {first}, is due on {day_text(due)}")
    return min(newest, last, key=lambda one: one.end)


def quarters_between(first: Period, last: Period) -> list[Period]:
    """The quarters from one to another, both included.

    Raises
    ------
    ParameterError
        If the last is before the first.
    """
    if last.end < first.end:
        raise ParameterError(f"{last} is before {first}; --from is the earlier of the two")
    quarters = [first]
    while quarters[-1].end < last.end:
        quarters.append(period_containing(quarters[-1].end + timedelta(days=1), "quarter"))
    return quarters


def save_processed(
    agreement: Agreement, observations: pd.DataFrame, findings: list[Finding]
) -> None:
    """Write the clean observations and the findings to the agreement's ``processed`` folder."""
    folder = agreement.folder / "processed"
    folder.mkdir(exist_ok=True)
    write_bytes(folder / "observations.parquet", observations.to_parquet(index=False))
    # Here, since the module that sorts findings by partner also reads reports.
    from psa_analysis.returns.quality import findings_by_partner

    table = findings_by_partner(findings, agreement)
    write_bytes(folder / "findings.csv", csv_text(table).encode())
