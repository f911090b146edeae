"""The command ``psa``. It parses, calls the library and prints; nothing is computed here.

Exit codes: 0 all well; 1 the data has errors, or a notebook failed; 2 the command is wrong.
"""

from __future__ import annotations

import atexit
import gc
import io
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from functools import wraps
from pathlib import Path
from typing import Any

import click

#: The project's folder.
_ROOT = Path(__file__).resolve().parent.parent

# The scientific libraries are imported by the commands that use them: help must be instant.


def _one_line_errors(command: Callable[..., None]) -> Callable[..., None]:
    """Say what is wrong on a line each instead of a traceback."""

    @wraps(command)
    def wrapped(**options: Any) -> None:
        from psa_analysis.findings import DataError, ParameterError

        try:
            command(**options)
        except DataError as error:
            from psa_analysis.words import counted

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
    # What is loaded stays: look seldom for what could go, and not at all at the end, where that
    # would take a quarter of a second.
    gc.set_threshold(50_000)
    atexit.register(gc.freeze)
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
    from psa_analysis.packs.workbook import save_processed
    from psa_analysis.pipeline import load_observations
    from psa_analysis.returns.sources import make_sidecars
    from psa_analysis.show.quality import findings_by_partner
    from psa_analysis.words import counted

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
    from psa_analysis.files import csv_text

    report = _report(period, data)
    if as_csv:
        click.echo(csv_text(report.assessment), nl=False)
        sys.exit(_warn_of_errors(report))
    from psa_analysis.words import chance_text, figure_text

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
    from psa_analysis.analysis.grant import grants, payments
    from psa_analysis.files import csv_text
    from psa_analysis.show.grant import grant_words
    from psa_analysis.words import pounds_text, range_text

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
    from psa_analysis.analysis.comparison import changes, read_pack
    from psa_analysis.files import csv_text
    from psa_analysis.periods import parse_reporting_period
    from psa_analysis.pipeline import report_at
    from psa_analysis.show.comparison import change_text, pack_of
    from psa_analysis.words import counted

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
                "Grants, revisions and commitments are not compared: "
                f"a pack such as {text} keeps its assessment alone"
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

    from psa_analysis.findings import ParameterError
    from psa_analysis.pipeline import ROOT

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
    from psa_analysis.returns.partners import due as owed
    from psa_analysis.words import counted, day_text

    report = _report(period, data)
    table = owed(report)
    missing = table[~table["returned"]]
    names = report.agreement.settings.partners
    for partner, rows in missing.groupby("partner", sort=False):
        click.echo(f"{names[str(partner)]} ({partner})")
        for row in rows.itertuples():
            last = (
                "nothing has come yet"
                if row.last_period != row.last_period
                else (f"the last to come was {row.last_period}")
            )
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
    from psa_analysis.words import counted

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
    from psa_analysis.analysis.explain import explain as lines
    from psa_analysis.findings import ParameterError, did_you_mean

    report = _report(period, data)
    measures = report.assessment["measure"].tolist()
    if measure not in measures:
        remedy = did_you_mean(measure, measures)
        raise ParameterError(f"there is no measure '{measure}' in the assessment. {remedy}")
    for line in lines(report, measure):
        click.echo(line)


@main.command()
@click.argument("period", required=False)
@click.option("--latest", is_flag=True, help="The newest quarter whose cut-off has passed.")
@click.option("--from", "first", metavar="PERIOD", help="All quarters from this one on ...")
@click.option("--to", "last", metavar="PERIOD", help="... to this one.")
@click.option(
    "--data",
    multiple=True,
    type=click.Path(path_type=Path),
    help="The agreement's data folder, which holds raw/; give it again for more agreements, whose "
    "packs go into a folder each.  [default: the project's data]",
)
@click.option(
    "--audience",
    type=click.Choice(["internal", "public"]),
    default="internal",
    show_default=True,
    help="Whom the pages are for.",
)
@click.option(
    "--outputs",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for the packs.  [default: the project's outputs]",
)
@click.option(
    "--notebooks",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="Folder of the notebooks.  [default: the project's notebooks]",
)
@click.option("--code", is_flag=True, help="Pages with the code of every cell, folded.")
@click.option("--force", is_flag=True, help="Make everything anew, whatever is unchanged.")
@click.option(
    "--workers", type=click.IntRange(min=1), help="Processes at once.  [default: one per core]"
)
@click.option("--dask", metavar="ADDRESS", help="Scheduler of a Dask cluster that does the work.")
@click.option(
    "--log",
    type=click.Path(path_type=Path, dir_okay=False),
    help="File to add a line of JSON to for all that happens.",
)
@click.option(
    "--hook",
    metavar="COMMAND",
    help="Command to run when a pack has come to its end, for example a mail; it is given a "
    "summary as its input.",
)
@_one_line_errors
def run(
    period: str | None,
    latest: bool,
    first: str | None,
    last: str | None,
    data: tuple[Path, ...],
    audience: str,
    outputs: Path | None,
    notebooks: Path | None,
    code: bool,
    force: bool,
    workers: int | None,
    dask: str | None,
    log: Path | None,
    hook: str | None,
) -> None:
    """Make the pack of PERIOD, a quarter such as "2004-05 Q3", or several packs.

    Executes every notebook and leaves in outputs/2004-05-Q3/ the executed notebooks, their pages,
    index.html, the workbook, assessment.csv and .parquet, commitments.csv and manifest.json; a
    public pack has its own folder, 2004-05-Q3-public. What is unchanged since the last run is not
    made again. docs/run.md says how to have it run by itself.

    Exits with 0 if all is well, 1 if a notebook failed or the data has errors, 2 if no pack could
    be made or the command is wrong, 3 if the hook failed.
    """
    from psa_analysis.packs.make import RunError, Task
    from psa_analysis.packs.many import folders_of

    folders = [folder.resolve() for folder in data] or [_ROOT / "data"]
    source, target = notebooks or _ROOT / "notebooks", (outputs or _ROOT / "outputs").resolve()
    try:
        tasks = [
            Task(quarter, folder, source.resolve(), place, audience, code, force)
            for folder, place in folders_of(target, folders).items()
            for quarter in _quarters(folder, period, latest, first, last)
        ]
        sys.exit(_make(tasks, workers or os.cpu_count() or 1, dask, log, hook))
    except RunError as error:
        click.echo(f"psa: {error}", err=True)
        sys.exit(2)


def _quarters(
    folder: Path, period: str | None, latest: bool, first: str | None, last: str | None
) -> list[Any]:
    """The quarters that a run is asked for, in one of three ways."""
    from psa_analysis.findings import ParameterError
    from psa_analysis.periods import parse_reporting_period

    if bool(period) + latest + bool(first or last) != 1:
        raise ParameterError(
            'name a quarter such as "2004-05 Q3", or --latest, or --from and --to; one of the three'
        )
    if period:
        return [parse_reporting_period(period)]
    from psa_analysis.pipeline import latest_period, quarters_between

    if latest:
        return [latest_period(_agreement(folder), date.today())]
    if not (first and last):
        raise ParameterError("--from and --to belong together")
    return quarters_between(parse_reporting_period(first), parse_reporting_period(last))


def _make(
    tasks: list[Any], workers: int, dask: str | None, log: Path | None, hook: str | None
) -> int:
    """Make packs, and say what happens on the terminal, in the log and to the hook."""
    from psa_analysis.packs.make import notebooks_of
    from psa_analysis.packs.many import log_line, make_packs, run_hook

    several = len(tasks) > 1
    total = len(tasks) if several else len(notebooks_of(tasks[0].notebooks))
    codes, ended = [0], 0
    with _bar(total) as (advance, say):

        def tell(event: Any) -> None:
            nonlocal ended
            if log is not None:
                with log.open("a", encoding="utf-8") as file:
                    file.write(log_line(event))
            counts = event.what == ("pack" if several else "page")
            ended += counts
            at = f"[{ended}/{total}] " if counts else ""
            name = f"{event.pack}: " if several else ""
            if event.what in ("waiting", "warning"):
                say(f"psa: {name}{event.said}", True)
            elif not several or event.what == "pack" or event.status == "failed":
                say(f"{at}{name}{event.said}", False)
            if counts:
                advance()

        for outcome in make_packs(tasks, workers, tell, dask):
            name = f"{outcome.task.pack.parent.name}/{outcome.task.name}: " if several else ""
            for problem in outcome.problems:
                say(f"psa: {name}{problem}", True)
            if outcome.failed:
                say(f"psa: {name}failed: {', '.join(outcome.failed)}", True)
            if outcome.wrong:
                say(f"psa: {name}{_wrong_words(outcome.wrong)}", True)
            codes.append(outcome.code)
            if hook and (code := run_hook(hook, outcome)):
                say(f"psa: the hook ended with {code}: {hook}", True)
                codes.append(3)
    return max(codes)


@contextmanager
def _bar(total: int) -> Iterator[tuple[Callable[[], Any], Callable[[str, bool], None]]]:
    """On a terminal a progress bar below the lines, with the time that is left."""
    if not sys.stderr.isatty():
        yield lambda: None, lambda line, err: click.echo(line, err=err)
        return
    from tqdm import tqdm

    with tqdm(
        total=total, leave=False, bar_format="{l_bar}{bar}| {n}/{total}, {remaining} left"
    ) as bar:
        yield bar.update, lambda line, err: bar.write(line, file=sys.stderr if err else sys.stdout)


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
    from psa_analysis.analysis.backtest import backtest as back_test
    from psa_analysis.analysis.backtest import brier, coverage, read_panel, real_panel, reliability
    from psa_analysis.files import csv_text, write_bytes
    from psa_analysis.pipeline import ROOT, load_observations
    from psa_analysis.show.reliability import reliability_words
    from psa_analysis.words import counted

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
        "forecasts": forecasts,
        "targets": targets,
        "coverage": coverage(forecasts),
        "reliability": reliability(targets),
        "brier": brier(targets),
    }
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

    wrong = len(errors(report.findings))
    if wrong:
        click.echo(f"psa: {_wrong_words(wrong)}", err=True)
    return 1 if wrong else 0


def _wrong_words(wrong: int) -> str:
    from psa_analysis.words import counted

    return f"{counted(wrong, 'error')} in the returns; psa check lists what was kept out"


def _agreement(data: Path | None) -> Any:
    from psa_analysis.pipeline import ROOT
    from psa_analysis.register.loading import load_agreement

    return load_agreement(data.resolve() if data else ROOT / "data")


def _report(period: str, data: Path | None, audience: str = "internal") -> Any:
    from psa_analysis.pipeline import open_report

    return open_report(period, str(data.resolve()) if data else "data", audience)


if __name__ == "__main__":
    main()
