"""The command ``psa``. It parses, calls the library and prints; nothing is computed here."""

import io
import shutil
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

import click
import lazy_loader
from click.decorators import FC


def _lazy(name: str) -> ModuleType:
    """A module of the package that is imported at its first use: help must be instant."""
    module: ModuleType = lazy_loader.load(f"psa_analysis.{name}", suppress_warning=True)
    return module


files, findings, periods, words = map(_lazy, ("files", "findings", "periods", "words"))
loading, partners = map(_lazy, ("register.loading", "returns.partners"))
pipeline, comparison = map(_lazy, ("pipeline", "analysis.comparison"))
changes, measures = map(_lazy, ("show.comparison", "show.measures"))
overview, rewards = map(_lazy, ("show.overview", "show.grant"))
packs, workbook = map(_lazy, ("packs.run", "packs.workbook"))

#: How many findings `psa check` prints; findings.csv has all.
LINES_SHOWN = 20

#: The project's folder.
_ROOT = Path(__file__).resolve().parent.parent


def _say(text: str, err: bool = False) -> None:
    """Print a line; nothing in it is hidden, or tells the terminal what to do."""
    click.echo(findings.on_one_line(text), err=err)


class _Commands(click.Group):
    """Commands that say what is wrong on a line each instead of a traceback."""

    def invoke(self, context: click.Context) -> Any:
        """Run the command, and turn what went wrong into lines and an exit code."""
        try:
            return super().invoke(context)
        except findings.DataError as error:
            for finding in error.findings:
                _say(str(finding), err=True)
            text, code = f"{words.counted(len(error.findings), 'error')}; nothing was done", 1
        except findings.ParameterError as error:
            text, code = str(error), 2
        except periods.PeriodError as error:
            text, code = f"period: {error}, for example 2004-05 Q3", 2
        except BrokenPipeError:
            sys.stderr.close()  # whoever reads has seen enough: psa check | head
            return None
        except OSError as error:
            text, code = f"{error.strerror}: {error.filename}", 1
        _say(f"psa: {text}", err=True)
        sys.exit(code)


def _folder(name: str, default: str, help: str, **more: Any) -> Callable[[FC], FC]:
    """An option for a folder of the project."""
    path = click.Path(path_type=Path, file_okay=False, resolve_path=True)
    more |= {"default": [_ROOT / default] if more else _ROOT / default}
    return click.option(name, type=path, help=help, show_default=f"the project's {default}", **more)


_DATA = "The agreement's data folder, which holds raw/"
_MORE_DATA = "give it again for more agreements, whose packs go into a folder each"
_data = _folder("--data", "data", f"{_DATA}.")
_period = click.argument("period")
_number = click.IntRange(min=1)
_audience = click.Choice(["internal", "public"])
_file = click.Path(path_type=Path, dir_okay=False)
_csv = click.option("--csv", "as_csv", is_flag=True, help="Print every column as CSV.")
_HELP = {"help_option_names": ["-h", "--help"], "show_default": True}


@click.group(cls=_Commands, context_settings=_HELP)
@click.version_option(package_name="psa_analysis", prog_name="psa")
def main() -> None:
    """Follow a Local Public Service Agreement.

    Exit codes: 0 all well, 1 the data has errors or a notebook failed, 2 the command is wrong.
    """
    # A terminal that cannot show a minus sign shows a question mark, not a traceback.
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


@main.command()
@_data
def check(data: Path) -> None:
    """Check the register and the returns, and list what to mend.

    Writes data/processed/observations.parquet and findings.csv. Exits with 1 if there are errors.
    """
    agreement = loading.load_agreement(data)
    for file, sidecar in pipeline.receive(agreement, date.today()).items():
        what = "complete the draft" if sidecar.draft else "its sidecar is"
        _say(f"received today: {file}; {what} {file}.toml")
    observations, problems = pipeline.load_observations(agreement)
    names = agreement.settings.partners
    table, left = partners.findings_by_partner(problems, agreement), LINES_SHOWN
    for partner, rows in table.groupby("partner", sort=False):
        _say(f"To ask {names[str(partner)]}:" if partner else "For ourselves:")
        for number in rows.index:
            if (left := left - 1) >= 0:
                _say(str(problems[number]))
    if left < 0:
        _say(f"… and {-left:,} more: see {data / 'processed' / 'findings.csv'}")
    _say(str(agreement))
    wrong = len(findings.errors(problems))
    _say(
        f"{words.counted(len(observations), 'observation')} of "
        f"{words.counted(observations['measure'].nunique(), 'measure')} in "
        f"{words.counted(observations['file'].nunique(), 'file')}; "
        f"{words.counted(wrong, 'error')}, {words.counted(len(problems) - wrong, 'warning')}"
    )
    workbook.save_processed(agreement, observations, problems)
    sys.exit(1 if wrong else 0)


@main.command()
@_period
@_data
@_csv
def assess(period: str, data: Path, as_csv: bool) -> None:
    """Print where each measure stands at PERIOD, a quarter such as "2004-05 Q3"."""
    report = pipeline.open_report(period, str(data))
    shown = overview.standing(report).table.frame.assign(Measure=[*report.rows])
    shown = shown.drop(columns=["Baseline", "Since last reading", "On the year"], errors="ignore")
    lines = [repr(report), *shown.to_string(index=False).splitlines()]
    _print_and_exit(report.findings, report.assessment, as_csv, lines)


@main.command()
@_period
@_data
@_csv
def grant(period: str, data: Path, as_csv: bool) -> None:
    """Print what the reward has come to, or may come to, at PERIOD, such as "2006-07 Q2".

    Shares of the pot where the net budget requirement is not stated, pounds as well where it is.
    docs/grant.md has the rules.
    """
    report = pipeline.open_report(period, str(data))
    if (reward := rewards.reward(report)).reason:
        _print_and_exit(report.findings, rewards.grants(report), as_csv, [reward.reason])
    shown = reward.table.frame.drop(columns=["What is measured", "Rests on"], errors="ignore")
    lines = [repr(report), *shown.to_string(index=False).splitlines()]
    for year, what, share, *pounds in rewards.payments(report).table.frame.values:
        lines.append(f"  {year}, {what}: {pounds[0] if pounds else f'{share} of the pot'}")
    lines.append(reward.words.text)
    _print_and_exit(report.findings, reward.data, as_csv, lines)


@main.command()
@click.argument("before")
@click.argument("after")
@_data
@_csv
def diff(before: str, after: str, data: Path, as_csv: bool) -> None:
    """Print what changed from BEFORE to AFTER: states, readings, chances, grant, revisions.

    Each is a quarter such as "2004-05 Q2", reported anew as of its own cut-off, or the folder of a
    pack, which keeps what was said when it was made.
    """
    compared, not_compared, problems = [], [], ()
    for text in (before, after):
        if Path(text).is_dir():
            compared.append(comparison.read_pack(Path(text)))
            not_compared.append(
                "Grants, revisions and commitments are not compared: "
                f"a pack such as {text} keeps its assessment alone"
            )
        else:
            report = pipeline.open_report(text, str(data))
            problems = report.findings
            compared.append(changes.pack_of(report))
    table = comparison.changes(*compared)
    lines = []
    for (measure, title), rows in table.groupby(["measure", "title"], sort=False):
        lines.append(f"{measure}: {title}" if title else measure)
        for row in rows.itertuples():
            values = (row.before, row.after)
            was, now = (changes.change_text(value, row.what, row.unit) for value in values)
            what = f"{row.area}, {row.period_after}" if row.what == "figure" else row.what
            way = f" ({row.direction})" if row.direction else ""
            lines.append(f"  {what}: {was} -> {now}{way}")
        # What says why of a measure names its revised figures too.
        others = rows[rows["what"] != "figure"]
        lines += [f"  because: {why}" for why in (others if len(others) else rows)["why"].unique()]
    first, last = (pack.period for pack in compared)
    lines += [*not_compared, f"{words.counted(len(table), 'change')} from {first} to {last}"]
    _print_and_exit(problems, table, as_csv, lines)


@main.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
def new(folder: Path) -> None:
    """Make FOLDER the data folder of another agreement: a small example to write over.

    docs/another_council.md goes through it, from a printed agreement to the second pack.
    """
    if folder.exists() and any(folder.iterdir()):
        text = f"{folder} is not empty; name a folder that does not exist yet"
        raise findings.ParameterError(text)
    shutil.copytree(_ROOT / "psa_analysis" / "starter", folder / "raw", dirs_exist_ok=True)
    for path in sorted((folder / "raw").rglob("*.*")):
        _say(f"  {path}")
    _say("An example, all of it made up: put your own agreement in its place, then")
    _say(f'  psa check --data "{folder}"')
    _say(f'  psa run "2005-06 Q4" --data "{folder}"')


@main.command()
@_period
@_data
def due(period: str, data: Path) -> None:
    """List who has not returned what for PERIOD, a quarter such as "2004-05 Q3".

    Exits with 1 if a return is missing.
    """
    report = pipeline.open_report(period, str(data))
    table = partners.due(report.agreement, report.known, report.assessment)
    names = {key: f"{name} ({key})" for key, name in report.agreement.settings.partners.items()}
    missing = table[~table["returned"]].replace({"partner": names | {"": "No partner is named"}})
    for partner, rows in missing.groupby("partner", sort=False):
        _say(partner)
        for row in rows.itertuples():
            known = row.last_period == row.last_period
            last = f"the last to come was {row.last_period}" if known else "nothing has come yet"
            _say(f"  {row.measure}: {row.title}, {row.period}; {last}")
    _say(
        f"{words.counted(len(missing), 'return')} of {len(table)} missing for {report.period} on "
        f"{words.day_text(report.cut_off)}"
    )
    sys.exit(1 if len(missing) else 0)


@main.command()
@click.argument("partner")
@_period
@_data
@click.option("--output", type=_file, help="File to write.  [default: PARTNER_PERIOD.xlsx here]")
def template(partner: str, period: str, data: Path, output: Path | None) -> None:
    """Write the workbook in which PARTNER, such as police, returns its figures for PERIOD."""
    report = pipeline.open_report(period, str(data))
    path = output or Path(f"{partner}_{report.period.slug}.xlsx")
    shown = (report.agreement, report.known, report.assessment, report.period, report.cut_off)
    rows = partners.write_template(path, partner, *shown)
    _say(f"{path}: {words.counted(len(rows), 'figure')} to fill in")


@main.command()
@click.argument("measure")
@_period
@_data
def explain(measure: str, period: str, data: Path) -> None:
    """Walk the figure of MEASURE, such as N13, in the report of PERIOD back to its cells."""
    report = pipeline.open_report(period, str(data))
    if measure not in (names := report.assessment["measure"].tolist()):
        text = f"there is no measure '{measure}' in the assessment."
        raise findings.ParameterError(f"{text} {findings.did_you_mean(measure, names)}")
    for label, text in measures.explanation(report, measure):
        _say(f"{label:<10} {text}")


@main.command()
@click.argument("period", required=False)
@click.option("--latest", is_flag=True, help="The newest quarter whose cut-off has passed.")
@click.option("--from", "first", metavar="PERIOD", help="All quarters from this one on ...")
@click.option("--to", "last", metavar="PERIOD", help="... to this one.")
@_folder("--data", "data", f"{_DATA}; {_MORE_DATA}.", multiple=True)
@click.option("--audience", type=_audience, default="internal", help="Whom the pages are for.")
@_folder("--outputs", "outputs", "Folder for the packs.")
@_folder("--notebooks", "notebooks", "Folder of the notebooks.")
@click.option("--force", is_flag=True, help="Make everything anew, whatever is unchanged.")
@click.option("--workers", type=_number, help="Processes at once.  [default: one per core]")
@click.option("--timeout", type=_number, default=600, help="Seconds that a notebook may take.")
def run(
    period: str | None,
    latest: bool,
    first: str | None,
    last: str | None,
    data: tuple[Path, ...],
    outputs: Path,
    **rest: Any,
) -> None:
    """Make the pack of PERIOD, a quarter such as "2004-05 Q3", or several packs.

    It stands in outputs/2004-05-Q3/, a public one in outputs/2004-05-Q3-public/. If nothing has
    changed since the last run, nothing is done. docs/run.md says how to have it run by itself.

    Exits with 0 if all is well, 1 if a notebook failed or the data has errors, 2 if no pack could
    be made or the command is wrong.
    """
    if bool(period) + latest + bool(first or last) != 1 or bool(first) != bool(last):
        raise findings.ParameterError(
            'name a quarter such as "2004-05 Q3", or --latest, or --from and --to; one of '
            "the three, and --from and --to belong together"
        )
    named = [text for text in (period, first, last) if text]
    quarters = [periods.parse_period(text, "quarter") for text in named]
    if first:
        quarters = pipeline.quarters_between(*quarters)
    tasks, codes, names = [], [0], [folder.name for folder in data]
    if len(set(names)) < len(names):
        raise findings.ParameterError(
            f"two data folders are called the same ({', '.join(names)}), as their folders of packs "
            "would be; run them one by one, each with its own --outputs"
        )
    for folder in data:
        if latest:
            try:
                quarters = [pipeline.latest_period(loading.load_agreement(folder), date.today())]
            except (findings.DataError, findings.ParameterError) as error:
                # The packs of others are still to be made.
                for line in str(error).splitlines():
                    _say(f"psa: {folder.name}: {line}", err=True)
                codes.append(1 if isinstance(error, findings.DataError) else 2)
                continue
        into = outputs / folder.name if len(data) > 1 else outputs
        tasks += [packs.Task(quarter, folder, outputs=into, **rest) for quarter in quarters]
    several = len(tasks) > 1

    def on_event(task: Any, what: str, text: str) -> None:
        line = f"{task.outputs.name}/{task.name}: {text}" if several else text
        if what == "warning":
            _say(f"psa: {line}", err=True)
        elif what == "pack" and several:
            _say(f"[{tasks.index(task) + 1}/{len(tasks)}] {line}")
        elif what == "failed page" or not several:
            _say(line)

    sys.exit(max(codes + [packs.make_pack(task, on_event) for task in tasks]))


def _print_and_exit(problems: Any, table: Any, as_csv: bool, lines: list[str]) -> NoReturn:
    """Print a table as CSV, or lines that say the same; exits with 1 if figures were kept out."""
    if as_csv:
        click.echo(files.csv_text(table), nl=False)
    for line in () if as_csv else lines:
        _say(line)
    if wrong := len(findings.errors(problems)):
        _say(f"psa: {packs.wrong_words(wrong)}", err=True)
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
