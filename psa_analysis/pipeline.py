"""The chain, as a story: load, clean, keep what was known, read, forecast, assess."""

import re
import sys
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pandas as pd

from psa_analysis.analysis import disclosure
from psa_analysis.analysis.assessment import STATES, assess
from psa_analysis.analysis.backtest import make_record
from psa_analysis.analysis.commitments import follow
from psa_analysis.analysis.control import check_rebases
from psa_analysis.analysis.effectiveness import check_baskets, cost_effectiveness
from psa_analysis.analysis.outlook import Outlook, outlooks
from psa_analysis.analysis.readings import make_readings
from psa_analysis.analysis.trajectory import with_seasons
from psa_analysis.files import checksum, csv_text, meanings, read_rows, write_bytes
from psa_analysis.findings import DataError, Finding, ParameterError, did_you_mean, errors, one_of
from psa_analysis.periods import Period, PeriodError, parse_period, period_containing
from psa_analysis.register.agreement import Agreement
from psa_analysis.register.loading import load_agreement, load_commentary
from psa_analysis.report import AUDIENCES, Report
from psa_analysis.returns import sources
from psa_analysis.returns.cleaning import as_of, clean_returns
from psa_analysis.returns.drafts import draft_sidecar
from psa_analysis.returns.progress import load_progress
from psa_analysis.returns.series import check_series
from psa_analysis.returns.table import load_returns
from psa_analysis.words import day_text

#: The project's folder; relative paths start here, wherever a command or notebook runs.
ROOT = Path(__file__).resolve().parent.parent

#: What public packs have shown, kept with the agreement.
DISCLOSED = "disclosed.csv"
#: The report that a run has made for its notebooks, in the processes that execute them.
report_of_run: Report | None = None
#: What the cell tagged "parameters" of every notebook sets.
PARAMETERS = ("period", "data", "audience", "theme")


def load_observations(agreement: Agreement) -> tuple[pd.DataFrame, list[Finding]]:
    """Load and clean every return of an agreement: observations and findings."""
    sidecars, of_sidecars = sources.read_sidecars(agreement.folder)
    table, of_files = load_returns(agreement.folder, sidecars, _known_names(agreement))
    corrections, of_corrections = sources.load_corrections(agreement.folder)
    observations, of_cells = clean_returns(table, agreement, corrections=corrections)
    findings = [*of_sidecars, *of_files, *of_corrections, *of_cells]
    findings += check_series(observations, agreement) + check_baskets(observations, agreement)
    findings += load_progress(agreement)[1] + check_rebases(observations, agreement)
    return observations, findings + load_commentary(agreement)[1]


def receive(agreement: Agreement, today: date) -> dict[str, sources.Sidecar]:
    """Make the sidecars of new files, in draft for tables that are unknown; gives them by file."""
    # Without their sidecars no others are read.
    table, problems = load_returns(agreement.folder, {}, _known_names(agreement))
    unreadable = {finding.file for finding in errors(problems)} - {*table["file"]}
    received = {}
    new = [file for file in sources.raw_files(agreement.folder) if not file[2].exists()]
    for path, name, beside in new:
        # A checksum of a file's faults would refuse the file once it is mended.
        sidecar: sources.Sidecar | None = sources.Sidecar(received=today, checksum=checksum(path))
        if name in unreadable:
            own = agreement.settings.agreement.area
            sidecar = draft_sidecar(path, name, _known_names(agreement), own, today)
        if sidecar:
            sources.write_sidecar(beside, sidecar)
            received[name] = sidecar
    return received


def _known_names(agreement: Agreement) -> dict[str, list[str]]:
    """The measures and areas that a return may name."""
    measures = agreement.measures
    return {"measure": [*measures.index, *measures["title"]], "area": [*agreement.areas["area"]]}


def make_report(
    agreement: Agreement,
    observations: pd.DataFrame,
    findings: list[Finding],
    period: Period,
    audience: str = "internal",
) -> Report:
    """Assess one reporting period from what was known at its cut-off."""
    cut_off = period.end + timedelta(days=agreement.settings.calendar.cut_off_days)
    seen = observations[observations["received"] <= pd.Timestamp(cut_off)]
    progress, marks = load_progress(agreement)[0], pd.DataFrame()
    small = pd.Series(False, progress.index)
    # A public report is made of what may be shown alone, so that nothing in it tells the rest.
    if public := audience == "public":
        marks = disclosure.withheld(seen, agreement, cut_off, load_disclosed(agreement))
        observations = disclosure.masked_observations(seen, marks, agreement)
        small = disclosure.small_reports(progress, agreement)
        masked = {*marks["measure"]}  # whether there is a doubt may depend on what is held back
        findings = [f for f in findings if f.severity == "error" or f.measure not in masked]
        findings = [disclosure.masked_finding(finding, agreement) for finding in findings]
    known = as_of(observations, cut_off)
    agreement = with_seasons(agreement, known)
    series = make_readings(known, agreement)
    if public:
        series = disclosure.masked_readings(make_readings(as_of(seen, cut_off), agreement), series)
    forecasts = outlooks_at(observations, agreement, period)
    assessed = assess(series, agreement, period, errors(findings), forecasts)
    commitments = follow(agreement, progress[~small], observations, period)
    data_log = sources.as_table(sources.read_sidecars(agreement.folder)[0])
    if public:
        hidden = assessed.loc[assessed["state"] == "not shown", "measure"]
        forecasts |= dict.fromkeys(hidden, Outlook(reason=STATES["not shown"]))
        linked = agreement.commitments.index[agreement.commitments["measure"].isin(hidden)]
        few = progress.loc[small & (progress["reported"] <= pd.Timestamp(cut_off)), "commitment"]
        commitments = disclosure.masked_commitments(commitments, {*linked, *few})
        # By its checksum a guess at a figure could be tried.
        data_log["checksum"] = data_log["checksum"].where(disclosure.published(data_log), "")
        # What was paid for an outturn tells it.
        paid = agreement.measures["paid"].mask(agreement.measures.index.isin(hidden))
        agreement = replace(agreement, measures=agreement.measures.assign(paid=paid))
    return Report(
        agreement=agreement,
        period=period,
        cut_off=cut_off,
        audience=audience,
        observations=observations,
        known=known,
        readings=series,
        outlooks=forecasts,
        assessment=assessed,
        effectiveness=cost_effectiveness(series, agreement, period.end),
        commitments=commitments,
        sources=data_log,
        findings=tuple(findings),
        commentary=load_commentary(agreement)[0],
        report_at=report_at,
        record_of=record_of,
        withheld=marks,
    )


def load_disclosed(agreement: Agreement) -> pd.DataFrame:
    """The figures that earlier public packs have shown, or held back, of any quarter."""
    table, problems = read_rows(agreement.folder, DISCLOSED, list(meanings("disclosed")))
    if problems:
        raise DataError(problems)
    return table


def remember_disclosed(report: Report) -> None:
    """Write down what a public pack has shown and held back, for the packs that come after it."""
    earlier = report.withheld["reason"] == disclosure.EARLIER
    rows = report.observations.drop(report.withheld.index[earlier]).astype({"received": str})
    rows["shown"] = rows["small"].map({True: "no", False: "yes"})
    table = pd.concat([load_disclosed(report.agreement), rows[[*disclosure.VERSION, "shown"]]])
    # What was ever shown is known.
    table = table.sort_values([*disclosure.VERSION, "shown"])
    table = table.drop_duplicates(disclosure.VERSION, keep="last")
    write_bytes(report.agreement.folder / DISCLOSED, csv_text(table).encode())


def outlooks_at(
    observations: pd.DataFrame, agreement: Agreement, period: Period
) -> dict[str, Outlook]:
    """What the report of a period forecasts, from what was known at its cut-off."""
    cut_off = period.end + timedelta(days=agreement.settings.calendar.cut_off_days)
    vintages = observations[observations["received"] <= pd.Timestamp(cut_off)]
    known = as_of(vintages, cut_off)
    # Nothing of a period that had not ended by the report's goes into its forecasts.
    ended = known[known["period_end"] <= pd.Timestamp(period.end)]
    return outlooks(ended, vintages, agreement, period.end)


def record_of(report: Report) -> pd.DataFrame:
    """What the reports of the agreement's earlier quarters forecast, beside what came since."""
    agreement, observations = report.agreement, report.observations
    forecasts_at = {report.period: report.outlooks}
    for end in pd.date_range(agreement.settings.agreement.begins, report.period.start, freq="QE"):
        origin = period_containing(end.date(), "quarter")
        forecasts_at[origin] = outlooks_at(observations, agreement, origin)
    fans = {
        (origin.label, pd.Timestamp(origin.end), name): outlook.fan()
        for origin, forecasts in forecasts_at.items()
        for name, outlook in forecasts.items()
    }
    keys = ["origin", "origin_end", "measure"]
    table = pd.concat(fans, names=keys).reset_index(keys)
    return make_record(table, report.area_readings, agreement.measures)


def report_at(report: Report, period: Period) -> Report:
    """The report of another period, from the same data as known at that period's cut-off."""
    findings = [*report.findings]
    return make_report(report.agreement, report.observations, findings, period, report.audience)


def open_report(
    period: str, data: str = "data", audience: str = "internal", theme: str = ""
) -> Report:
    """Everything that the pages of a period show: what a notebook starts with."""
    refuse_unknown_parameters()
    try:
        reporting_period = parse_period(str(period), "quarter")
    except PeriodError as error:
        raise ParameterError(f"period: {error}, for example 2004-05 Q3") from None
    if audience not in AUDIENCES:
        raise ParameterError(f"audience is '{audience}'; expected one of {', '.join(AUDIENCES)}")
    folder = (ROOT / data).resolve()
    if not folder.exists():
        folder = Path(data).resolve()  # of somebody who started papermill beside it
    report = report_of_run
    kept = report and (report.period, report.audience, report.agreement.folder.resolve())
    if report is None or kept != (reporting_period, audience, folder):
        agreement = load_agreement(folder)
        report = make_report(agreement, *load_observations(agreement), reporting_period, audience)
    themes = report.agreement.settings.themes
    if theme and theme not in themes:
        remedy = did_you_mean(theme, themes)
        raise ParameterError(f"theme is '{theme}'; expected {one_of(themes)}. {remedy}")
    themed = replace(report)
    # With all that was worked out from the same figures already.
    vars(themed).update(vars(report) | {"theme": theme or None})
    return themed


def refuse_unknown_parameters() -> None:
    """Refuse a name that papermill injected and no notebook has: papermill itself only warns."""
    interactive = sys.modules.get("IPython")
    shell = interactive.get_ipython() if interactive else None
    # Papermill's cell follows the first one and begins with these words.
    cells = shell.user_ns.get("In", [])[1:4] if shell else []
    injected = [cell for cell in cells if cell.startswith("# Parameters\n")]
    # It writes a parameter to a line.
    for name in re.findall(r"^(\w+) = ", "\n".join(injected), re.MULTILINE):
        if name not in PARAMETERS:
            wrong = f"there is no parameter '{name}'; expected {one_of(PARAMETERS)}."
            raise ParameterError(f"{wrong} {did_you_mean(name, PARAMETERS)}")


def latest_period(agreement: Agreement, today: date) -> Period:
    """The newest quarter whose cut-off has passed, at most the one that settles the agreement."""
    days = timedelta(days=agreement.settings.calendar.cut_off_days)
    settings, measures = agreement.settings.agreement, agreement.measures
    first = period_containing(settings.begins, "quarter")
    dues = measures.loc[measures["role"] == "target", "due_at"].dropna()
    last = period_containing(max([settings.last.end, *(due.end for due in dues)]), "quarter")
    not_due = period_containing(today - days + timedelta(days=1), "quarter")
    newest = period_containing(not_due.start - timedelta(days=1), "quarter")
    if newest.end < first.end:
        due = day_text(first.end + days)
        raise ParameterError(f"the first report, of {first}, is due on {due}")
    if newest.end <= last.end:
        return newest
    # The first that has every final reading, or the last before the reward is paid in full.
    years = agreement.settings.grant.instalments
    paid = period_containing(last.end.replace(year=last.end.year + years), "quarter")
    observations, _ = load_observations(agreement)
    deciding = dues[measures.loc[dues.index, "target"].notna()]
    for quarter in quarters_between(last, min(newest, paid)):
        readings = make_readings(as_of(observations, quarter.end + days), agreement)
        final = readings["reading"].notna() & readings["flag"].isin(["final", "revised"])
        own = readings[final & (readings["area"] == settings.area)]
        reported = set(zip(own["measure"], own["period_end"], strict=True))
        if all((name, pd.Timestamp(due.end)) in reported for name, due in deciding.items()):
            break
    return quarter


def quarters_between(first: Period, last: Period) -> list[Period]:
    """The quarters from one to another, both included."""
    if last.end < first.end:
        raise ParameterError(f"{last} is before {first}; --from is the earlier of the two")
    ends = pd.date_range(first.end, last.end, freq="QE")
    return [period_containing(end.date(), "quarter") for end in ends]
