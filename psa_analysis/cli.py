"""The command ``psa``. It parses, calls the library and prints; nothing is computed here.

Exit codes: 0 all well; 1 the data has errors, or a notebook failed; 2 the command is wrong.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from datetime import date
from functools import wraps
from pathlib import Path
from typing import Any

import click

# The scientific libraries are imported by the commands that use them: help must be instant.


def _one_line_errors(command: Callable[..., None]) -> Callable[..., None]:
    """Say what is wrong on a line each instead of a traceback."""

    @wraps(command)
    def wrapped(**options: Any) -> None:
        from psa_analysis.findings import DataError
        from psa_analysis.pipeline import ParameterError
        from psa_analysis.show.words import counted

        try:
            command(**options)
        except DataError as error:
            for finding in error.findings:
                click.echo(str(finding), err=True)
            click.echo(f"psa: {counted(len(error.findings), 'error')}; nothing was done", err=True)
            sys.exit(1)
        except ParameterError as error:
            click.echo(f"psa: {error}", err=True)
            sys.exit(2)
        except BrokenPipeError:
            sys.stderr.close()  # whoever reads has seen enough: psa check | head
        except OSError as error:
            click.echo(f"psa: {error.strerror}: {error.filename}", err=True)
            sys.exit(1)

    return wrapped


_data = click.option(
    "--data",
    type=click.Path(path_type=Path),
    help="The agreement's data folder, which holds raw/.  [default: the project's data]",
)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="psa_analysis", prog_name="psa")
def main() -> None:
    """Follow a Local Public Service Agreement.

    \b
    psa check                       is the data sound?
    psa assess "2004-05 Q3"         where does each measure stand?
    psa grant "2004-05 Q3"          what may the reward come to?
    psa diff "2004-05 Q2" "2004-05 Q3"    what changed between two reports?
    psa explain N13 "2004-05 Q3"    which cells is a figure from?
    psa due "2004-05 Q3"            who has not returned what?
    psa template police "2004-05 Q3"    the workbook for a partner to fill in
    psa run "2004-05 Q3"            make the pack of pages for a quarter
    psa backtest                    how right would past forecasts have been?
    psa new FOLDER                  the data folder of another agreement, to fill in

    Exit codes: 0 all well, 1 the data has errors or a notebook failed, 2 the command is wrong.
    """
    # A terminal that cannot show a minus sign shows a question mark, not a traceback.
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


@main.command()
@_data
@_one_line_errors
def check(data: Path | None) -> None:
    """Check the register and the returns, and list what to mend.

    Writes data/processed/observations.parquet and findings.csv. Exits with 1 if there are errors.
    """
    from psa_analysis.findings import Finding, errors
    from psa_analysis.pipeline import load_observations, save_processed
    from psa_analysis.returns.provenance import make_sidecars
    from psa_analysis.returns.quality import findings_by_partner
    from psa_analysis.show.words import counted

    agreement = _agreement(data)
    for file in make_sidecars(agreement.folder, date.today()):
        click.echo(f"received today: {file}; its sidecar is {file}.toml")
    observations, findings = load_observations(agreement)
    names = agreement.settings.partners
    sorted_out = findings_by_partner(findings, agreement)
    for partner, rows in sorted_out.drop(columns="partner").groupby(
        sorted_out["partner"], sort=False
    ):
        click.echo(f"To ask {names[partner]}:" if partner else "For ourselves:")
        for record in rows.astype(object).where(rows.notna(), None).to_dict("records"):
            click.echo(str(Finding(**record)))
    wrong = len(errors(findings))
    click.echo(f"{agreement}")
    click.echo(
        f"{counted(len(observations), 'observation')} of "
        f"{counted(observations['measure'].nunique(), 'measure')} in "
        f"{counted(observations['file'].nunique(), 'file')}; "
        f"{counted(wrong, 'error')}, {counted(len(findings) - wrong, 'warning')}"
    )
    save_processed(agreement, observations, findings)
    sys.exit(1 if wrong else 0)


@main.command()
@click.argument("period")
@_data
@click.option("--csv", "as_csv", is_flag=True, help="Print every column as CSV.")
@_one_line_errors
def assess(period: str, data: Path | None, as_csv: bool) -> None:
    """Print where each measure stands at PERIOD, a quarter such as "2004-05 Q3"."""
    from psa_analysis.loading import csv_text

    report = _report(period, data)
    if as_csv:
        click.echo(csv_text(report.assessment), nl=False)
        sys.exit(_warn_of_errors(report))
    from psa_analysis.show.words import chance_text, figure_text

    table = report.assessment[
        ["measure", "latest", "latest_period", "planned", "target", "due"]
    ].copy()
    for column in ("latest", "planned", "target"):
        pairs = zip(table[column], report.assessment["unit"], strict=True)
        table[column] = [figure_text(value, unit) for value, unit in pairs]
    table["chance"] = report.assessment["chance_target"].map(chance_text)
    table["state"] = report.assessment["state"]
    click.echo(repr(report))
    click.echo(table.fillna("–").to_string(index=False))
    sys.exit(_warn_of_errors(report))


@main.command()
@click.argument("period")
@_data
@click.option("--csv", "as_csv", is_flag=True, help="Print every column as CSV.")
@_one_line_errors
def grant(period: str, data: Path | None, as_csv: bool) -> None:
    """Print what the reward has come to, or may come to, at PERIOD, such as "2006-07 Q2".

    Shares of the pot where the net budget requirement is not stated, pounds as well where it is.
    docs/grant.md has the rules.
    """
    from psa_analysis.grant import grants, payments
    from psa_analysis.loading import csv_text
    from psa_analysis.show.grant import grant_words
    from psa_analysis.show.words import pounds_text, range_text

    report = _report(period, data)
    table = grants(report)
    if as_csv:
        click.echo(csv_text(table), nl=False)
        sys.exit(_warn_of_errors(report))
    shown = table[["measure", "status", "outturn", "without", "target"]].copy()
    shown["p"] = table["proportion"]
    shown["share of pot"] = [range_text(share, share, 1) for share in table["pot_share"]]
    pairs = zip(table["least"], table["most"], strict=True)
    shown["paid of it"] = [range_text(*pair) for pair in pairs]
    if table["pounds_most"].notna().any():
        pairs = zip(table["pounds_least"], table["pounds_most"], strict=True)
        shown["pounds"] = [pounds_text(*pair) for pair in pairs]
    click.echo(repr(report))
    click.echo(shown.astype(object).where(shown.notna(), "–").to_string(index=False))
    for row in payments(report).itertuples():
        money = row.pounds_least == row.pounds_least
        text = (
            pounds_text(row.pounds_least, row.pounds_most)
            if money
            else f"{range_text(row.least, row.most, 1)} of the pot"
        )
        click.echo(f"  {row.year}, {row.what}: {text}")
    click.echo(grant_words(report).text)
    sys.exit(_warn_of_errors(report))


@main.command()
@click.argument("before")
@click.argument("after")
@_data
@click.option("--csv", "as_csv", is_flag=True, help="Print every column as CSV.")
@_one_line_errors
def diff(before: str, after: str, data: Path | None, as_csv: bool) -> None:
    """Print what changed from BEFORE to AFTER: states, readings, chances, grant, revisions.

    Each is a quarter such as "2004-05 Q2", reported anew as of its own cut-off, or the folder of a
    pack, which keeps what was said when it was made.
    """
    from psa_analysis.comparison import changes, pack_of, read_pack, report_at
    from psa_analysis.loading import csv_text
    from psa_analysis.pipeline import parse_reporting_period
    from psa_analysis.show.changes import change_text
    from psa_analysis.show.words import counted

    report, packs = None, []
    for text in (before, after):
        if Path(text).is_dir():
            packs.append(read_pack(Path(text)))
            continue
        period = parse_reporting_period(text)
        report = report_at(report, period) if report else _report(text, data)
        packs.append(pack_of(report))
    table = changes(*packs)
    if as_csv:
        click.echo(csv_text(table), nl=False)
        sys.exit(_warn_of_errors(report) if report else 0)
    for (measure, title), rows in table.groupby(["measure", "title"], sort=False):
        click.echo(f"{measure}: {title}" if title else measure)
        for row in rows.itertuples():
            was, now = (change_text(one, row.what, row.unit) for one in (row.before, row.after))
            what = f"{row.area}, {row.period_after}" if row.what == "figure" else row.what
            way = f" ({row.direction})" if row.direction else ""
            click.echo(f"  {what}: {was} -> {now}{way}")
        # What says why of a measure names its revised figures too.
        told = rows[rows["what"] != "figure"]
        for why in (told if len(told) else rows)["why"].unique():
            click.echo(f"  because: {why}")
    for text, pack in zip((before, after), packs, strict=True):
        if pack.figures is None:
            click.echo(
                f"Grants, revisions and commitments are not compared: {text} has no workbook"
            )
    click.echo(f"{counted(len(table), 'change')} from {packs[0].period} to {packs[1].period}")
    sys.exit(_warn_of_errors(report) if report else 0)


@main.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@_one_line_errors
def new(folder: Path) -> None:
    """Make FOLDER the data folder of another agreement: a small example to write over.

    Its agreement.toml, targets.csv, measures.csv and outturns.csv are what the grant needs.
    """
    import shutil

    from psa_analysis.pipeline import ROOT, ParameterError

    if folder.exists() and any(folder.iterdir()):
        raise ParameterError(f"{folder} is not empty; name a folder that does not exist yet")
    shutil.copytree(ROOT / "psa_analysis" / "starter", folder / "raw", dirs_exist_ok=True)
    for path in sorted((folder / "raw").rglob("*.*")):
        click.echo(f"  {path}")
    click.echo(
        "An example, all of it made up: put your own agreement in its place, then\n"
        f'  psa check --data "{folder}"\n  psa grant "2006-07 Q2" --data "{folder}"'
    )


@main.command()
@click.argument("period")
@_data
@_one_line_errors
def due(period: str, data: Path | None) -> None:
    """List who has not returned what for PERIOD, a quarter such as "2004-05 Q3".

    Exits with 1 if a return is missing.
    """
    from psa_analysis.pipeline import day_text
    from psa_analysis.returns.partners import due as owed
    from psa_analysis.show.words import counted

    report = _report(period, data)
    table = owed(report)
    missing = table[~table["returned"]]
    names = report.agreement.settings.partners
    for partner, rows in missing.groupby("partner", sort=False):
        click.echo(f"{names[str(partner)]} ({partner})")
        for row in rows.itertuples():
            last = "nothing has come yet" if row.last_period != row.last_period else (
                f"the last to come was {row.last_period}"
            )  # fmt: skip
            click.echo(f"  {row.measure}: {row.title}, {row.period}; {last}")
    click.echo(
        f"{counted(len(missing), 'return')} of {len(table)} missing for {report.period} on "
        f"{day_text(report.cut_off)}"
    )
    sys.exit(1 if len(missing) else 0)


@main.command()
@click.argument("partner")
@click.argument("period")
@_data
@click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The workbook to write.  [default: PARTNER_PERIOD.xlsx here]",
)
@_one_line_errors
def template(partner: str, period: str, data: Path | None, output: Path | None) -> None:
    """Write the workbook in which PARTNER, such as police, returns its figures for PERIOD."""
    from psa_analysis.returns.partners import write_template
    from psa_analysis.show.words import counted

    report = _report(period, data)
    path = output or Path(f"{partner}_{report.period.slug}.xlsx")
    rows = write_template(report, partner, path)
    click.echo(f"{path}: {counted(len(rows), 'figure')} to fill in")


@main.command()
@click.argument("measure")
@click.argument("period")
@_data
@_one_line_errors
def explain(measure: str, period: str, data: Path | None) -> None:
    """Walk the figure of MEASURE, such as N13, in the report of PERIOD back to its cells."""
    from psa_analysis.findings import did_you_mean
    from psa_analysis.pipeline import ParameterError
    from psa_analysis.returns.explain import explain as lines

    report = _report(period, data)
    measures = report.assessment["measure"].tolist()
    if measure not in measures:
        remedy = did_you_mean(measure, measures)
        raise ParameterError(f"there is no measure '{measure}' in the assessment. {remedy}")
    for line in lines(report, measure):
        click.echo(line)


@main.command()
@click.argument("period")
@_data
@click.option(
    "--audience", type=click.Choice(["internal", "public"]), default="internal",
    show_default=True, help="Whom the pages are for.",
)  # fmt: skip
@click.option(
    "--outputs",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for the pack.  [default: the project's outputs]",
)
@click.option(
    "--notebooks",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="Folder of the notebooks.  [default: the project's notebooks]",
)
@click.option("--code", is_flag=True, help="Pages with the code of every cell, folded.")
@_one_line_errors
def run(
    period: str,
    data: Path | None,
    audience: str,
    outputs: Path | None,
    notebooks: Path | None,
    code: bool,
) -> None:
    """Make the pack of PERIOD, a quarter such as "2004-05 Q3".

    Executes every notebook and leaves in outputs/2004-05-Q3/ the executed notebooks, their pages,
    index.html, the workbook, assessment.csv and .parquet, commitments.csv and manifest.json. Exits
    with 1 if a notebook failed.
    """
    report = _report(period, data, audience)
    click.echo(f"{report!r}")
    from psa_analysis.pipeline import ROOT, save_processed
    from psa_analysis.run import RunError, run_period

    try:
        # A public report holds less than was returned.
        if audience == "internal":
            save_processed(report.agreement, report.observations, list(report.findings))
    except OSError as error:  # a data folder that is read-only still makes a pack
        click.echo(f"psa: not saved: {error.strerror}: {error.filename}", err=True)
    try:
        pack, pages = run_period(
            report,
            notebooks or ROOT / "notebooks",
            outputs or ROOT / "outputs",
            click.echo,
            code,
        )
    except RunError as error:
        click.echo(f"psa: {error}", err=True)
        sys.exit(2)
    click.echo(f"The pack is {pack / 'index.html'}")
    failed = [page.notebook for page in pages if page.status != "done"]
    if failed:
        click.echo(f"psa: failed: {', '.join(failed)}", err=True)
    wrong = _warn_of_errors(report)
    sys.exit(1 if failed else wrong)


@main.command()
@click.argument(
    "panel", required=False, type=click.Path(path_type=Path, dir_okay=False, exists=True)
)
@_data
@click.option(
    "--outputs",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for the results.  [default: outputs/backtest]",
)
@_one_line_errors
def backtest(panel: Path | None, data: Path | None, outputs: Path | None) -> None:
    """Forecast the past from every moment of it, and say how often that was right.

    PANEL is a CSV or Parquet file with the columns measure, area, period, value and, for measures
    that are not in the register, unit. Without it the agreement's own observations are taken,
    except those that are illustrative.

    Writes forecasts.csv, targets.csv, coverage.csv, reliability.csv and brier.csv.
    """
    from psa_analysis.backtest import (
        backtest as back_test,
    )
    from psa_analysis.backtest import (
        brier,
        coverage,
        read_panel,
        real_panel,
        reliability,
    )
    from psa_analysis.loading import csv_text, write_bytes
    from psa_analysis.pipeline import ROOT, load_observations
    from psa_analysis.show.reliability import reliability_words
    from psa_analysis.show.words import counted

    agreement = _agreement(data)
    if panel is not None:
        table = read_panel(panel, agreement.measures["unit"].to_dict())
    else:
        table = real_panel(load_observations(agreement)[0], agreement)
    with click.progressbar(
        length=1, label="Forecasting the past", file=sys.stderr, hidden=not sys.stderr.isatty()
    ) as bar:

        def step(done: int, whole: int) -> None:
            bar.length = whole
            bar.update(1)

        forecasts, targets = back_test(table, step)
    folder = outputs or ROOT / "outputs" / "backtest"
    folder.mkdir(parents=True, exist_ok=True)
    results = {
        "forecasts": forecasts, "targets": targets, "coverage": coverage(forecasts),
        "reliability": reliability(targets), "brier": brier(targets),
    }  # fmt: skip
    for name, result in results.items():
        write_bytes(folder / f"{name}.csv", csv_text(result).encode())
    if forecasts.empty:
        click.echo(
            "psa: nothing to test: no series has three readings that differ and one after them",
            err=True,
        )
        sys.exit(1)
    series = forecasts[["measure", "area"]].drop_duplicates()
    click.echo(f"{counted(len(forecasts), 'forecast')} of {counted(len(series), 'series')}")
    whole = results["coverage"].iloc[0]
    for percent in (50, 80, 95):
        click.echo(f"  within the {percent}% interval: {whole[f'within_{percent}']:.0%}")
    score = results["brier"].iloc[0]
    click.echo(
        f"  Brier score of targets: {score['brier']:.3f}; "
        f"always saying the usual: {score['base_rate_brier']:.3f}"
    )
    click.echo(reliability_words(results["reliability"]))
    click.echo(f"The results are in {folder}")


def _warn_of_errors(report: Any) -> int:
    """Say that figures were kept out, and give the exit code for it."""
    from psa_analysis.findings import errors
    from psa_analysis.show.words import counted

    wrong = len(errors(report.findings))
    if wrong:
        said = f"psa: {counted(wrong, 'error')} in the returns; psa check lists what was kept out"
        click.echo(said, err=True)
    return 1 if wrong else 0


def _agreement(data: Path | None) -> Any:
    from psa_analysis.pipeline import ROOT
    from psa_analysis.register.loading import load_agreement

    return load_agreement(data.resolve() if data else ROOT / "data")


def _report(period: str, data: Path | None, audience: str = "internal") -> Any:
    from psa_analysis.pipeline import open_report

    return open_report(period, str(data.resolve()) if data else "data", audience)


if __name__ == "__main__":
    main()
