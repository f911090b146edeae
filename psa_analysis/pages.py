"""Pages: the tables, banners and notes that notebooks show, and the front of the pack.

Everything is plain accessible HTML with a text twin, so that it reads the same in JupyterLab,
in the exported page, through a screen reader and to nbval.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, lru_cache, partial
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
import pandas as pd

from psa_analysis.assessment import STATES
from psa_analysis.commitments import COUNTED_DONE, EXCEPTIONS, counts, moved
from psa_analysis.commitments import STATES as COMMITMENT_STATES
from psa_analysis.comparison import changes, report_before
from psa_analysis.control import OUR_RULES, ControlRules
from psa_analysis.disclosure import EARLIER, NOT_SHOWN, WITHHELD
from psa_analysis.families import (
    family_figures,
    family_outlook,
    figure_unit,
    funnel,
    higher_is_better,
    newest_standing,
    quartile,
    standings,
)
from psa_analysis.findings import shorten, visible
from psa_analysis.grant import (
    WholeGrant,
    by_partner,
    gains,
    grants,
    payments,
    pot,
    pump_priming,
    whole_grant,
)
from psa_analysis.performance import place, same_stage
from psa_analysis.periods import parse_period
from psa_analysis.pipeline import (
    Report,
    assessment_row,
    control_of,
    day_text,
    readings_not_shown,
    readings_with_path,
)
from psa_analysis.places import (
    AVERAGE,
    REST,
    SURE,
    Decomposition,
    Hotspots,
    decompose,
    hotspots,
    what_if,
)
from psa_analysis.register.agreement import rate_factor
from psa_analysis.register.commentary import WHOLE, entries
from psa_analysis.register.rows import NOT_STATED
from psa_analysis.returns.explain import explain
from psa_analysis.returns.partners import due
from psa_analysis.returns.quality import (
    corrections_applied,
    definition_breaks,
    findings_by_partner,
    returns_received,
    revisions,
)
from psa_analysis.show.outturns import STEPS, Outturn, better_by, outturn
from psa_analysis.show.words import (
    CHANCE_MOVED,
    QUARTILES,
    STATE_SIGNS,
    chance_text,
    change_text,
    control_sentences,
    counted,
    difference_text,
    effectiveness_sentences,
    figure_text,
    further_sentences,
    level_text,
    listed,
    of_one,
    pot_text,
    pounds_text,
    range_text,
    reliability_words,
    sentences,
    signed,
    standing_sentences,
    with_unit,
)

TEMPLATES = Path(__file__).parent / "show" / "templates"


@dataclass(frozen=True)
class Html:
    """A piece of a page: HTML for readers, the same in plain text for everything else."""

    html: str = field(repr=False)
    text: str

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        return {"text/html": self.html, "text/plain": self.text}


@cache
def templates() -> jinja2.Environment:
    """The package's templates; everything that they are given is escaped and visible."""
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        # HTML of our own was made so already, and is of a type of its own.
        finalize=lambda value: visible(value) if type(value) is str else value,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def table(
    frame: pd.DataFrame, caption: str, numeric: Sequence[str] = (), folded: bool = False
) -> Html:
    """An accessible table: caption, column headings and row headings with their scope.

    Parameters
    ----------
    frame : pandas.DataFrame
        Text cells; the first column heads the rows, the column names head the columns.
    caption : str
        What the table shows.
    numeric : sequence of str
        Columns whose figures are aligned to the right.
    folded : bool
        Behind a summary that opens it.
    """
    if frame.empty:
        return _sentence(f"{caption}: none.")
    cells = frame.astype(object).where(frame.notna(), "–").astype(str)
    html = templates().get_template("table.html.j2").render(
        caption=caption, columns=list(cells.columns), rows=cells.to_numpy().tolist(),
        numeric=set(numeric), folded=folded, signs=STATE_SIGNS,
    )  # fmt: skip
    # Tabs, so that the text does not depend on the width of whoever's terminal.
    return Html(
        html, f"{caption}\n{cells.to_csv(sep=chr(9), index=False, lineterminator=chr(10))}".rstrip()
    )


def banner(report: Report) -> Html:
    """What every page says first: whose report, of when, for whom, and what is not real in it."""
    settings = report.agreement.settings
    lines = [
        f"{settings.agreement.name}: {report.period}, from figures received by "
        f"{day_text(report.cut_off)}. {report.audience.capitalize()} report."
    ]
    warnings = []
    if report.assessment["illustrative"].any():
        warnings.append(
            "Illustrative: the outturns on this page are made up, because none were published. "
            "Baselines and targets are the agreement's own, or derived or assumed where marked."
        )
    if report.audience == "public":
        warnings.append(_withheld_words(report))
    html = templates().get_template("banner.html.j2").render(lines=lines, warnings=warnings)
    return Html(html, "\n".join([*lines, *warnings]))


def _withheld_words(report: Report) -> str:
    """What a public page says of the figures that it does not show."""
    if report.withheld.empty:
        return "Small numbers are not shown on public pages."
    earlier = report.withheld["reason"] == EARLIER
    cells = report.withheld[~earlier].drop_duplicates(["measure", "area", "period"])
    said = []
    if len(cells):
        said.append(
            f"{counted(len(cells), 'returned figure')} {_are(len(cells))} held back, and what is "
            "made from them; tables mark this [c]"
        )
    if number := int(earlier.sum()):
        said.append(
            f"{counted(number, 'earlier version')} of figures {_are(number)} held back too, "
            "since the revision was small"
        )
    return "Small numbers are not shown. " + ". ".join(said) + "."


def overview_table(report: Report, theme: str | None = None) -> Html:
    """Every measure of the agreement, or of one theme: where it stands and what is asked.

    Parameters
    ----------
    report : Report
        The period's report.
    theme : str, optional
        A theme of ``agreement.toml``.

    Raises
    ------
    KeyError
        If there is no such theme.
    """
    rows = of_theme(report, theme)
    units = rows["unit"]
    frame = pd.DataFrame(
        {
            "Measure": rows["measure"],
            "What is measured": titled(rows)
            + rows["role"].map({"supporting": " (supporting)"}).fillna(""),
            "Baseline": _figures(rows, "baseline", units),
            "Latest": _latest(rows),
            "Of period": rows["latest_period"],
            "Planned by then": [*map(figure_text, rows["planned"], units)],
            "Target": _figures(rows, "target", units),
            "Due": rows["due"],
            "Chance of the target": [*map(chance_text, rows["chance_target"])],
            "State": states_shown(rows),
            "Since last reading": rows["direction"],
            "On the year": rows["direction_on_year"],
        }
    )
    where = "the agreement" if theme is None else report.agreement.settings.themes[theme]
    return table(
        frame, f"Every measure of {where}, {report.period}",
        numeric=["Baseline", "Latest", "Planned by then", "Target", "Chance of the target"],
    )  # fmt: skip


def titled(rows: pd.DataFrame) -> pd.Series:
    """Titles of the assessment's rows, with the unit where the figures do not carry it."""
    carried = rows["unit"].isin(["percent", "percent change", "index", NOT_STATED])
    return rows["title"] + (", " + rows["unit"]).where(~carried, "")


def states_shown(rows: pd.DataFrame) -> list[str]:
    """States of the assessment's rows, those marked that are forecasts."""
    return [
        state + (" (forecast)" if forecast and state in STATE_SIGNS else "")
        for state, forecast in zip(rows["state"], rows["is_forecast"], strict=True)
    ]


def of_theme(report: Report, theme: str | None) -> pd.DataFrame:
    """The assessment's rows of one theme, or all of them."""
    if theme is None:
        return report.assessment
    if theme not in report.agreement.settings.themes:
        known = ", ".join(report.agreement.settings.themes)
        raise KeyError(f"there is no theme '{theme}'; the agreement has {known}")
    return report.assessment[report.assessment["theme"] == theme]


def _figures(rows: pd.DataFrame, figure: str, units: pd.Series) -> list[str]:
    """Register figures with a mark where they are not as stated."""
    marks = {"assumed": " [a]", "derived": " [d]"}
    return [
        NOT_STATED if status == NOT_STATED else figure_text(value, unit) + marks.get(status, "")
        for value, unit, status in zip(rows[figure], units, rows[f"{figure}_status"], strict=True)
    ]


def _latest(rows: pd.DataFrame) -> list[str]:
    """Readings with the symbols of the Government Analysis Function."""
    marks = {"provisional": " [p]", "revised": " [r]", "estimated": " [e]"}
    return [
        "[c]"
        if flag == WITHHELD
        else figure_text(value, unit) + (marks.get(flag, "") if isinstance(flag, str) else "")
        for value, unit, flag in zip(rows["latest"], rows["unit"], rows["latest_flag"], strict=True)
    ]


def key(report: Report) -> Html:
    """What the marks and states mean, with the thresholds that divide them."""
    states = report.agreement.settings.states
    meanings = dict(STATES)
    meanings["on track"] += f": the chance is {states.on_track:.0%} or more"
    meanings["at risk"] += f": the chance is {states.at_risk:.0%} or more, but less than on track"
    meanings["off track"] += f": the chance is less than {states.at_risk:.0%}"
    meanings["without a forecast"] = (
        f"where there are too few readings: on track from {states.path_on_track:.0%} of the "
        f"improvement planned by then, at risk from {states.path_at_risk:.0%}"
    )
    marks = {
        "[p]": "provisional: a first figure, which may still be revised",
        "[r]": "revised since it was first given",
        "[e]": "estimated by whoever returned it",
        "[a]": "assumed: neither document says it; the notes give the reason",
        "[d]": "derived from other figures: the notes say how",
        "(forecast)": "what is likely, not what has happened: the deciding reading is not final",
        "(supporting)": "followed beside a target; does not count for the grant",
        "–": "there is none",
    }
    if report.audience == "public":
        marks["[c]"] = "not shown: small numbers, or figures that would give them away"
    frame = pd.DataFrame([*meanings.items(), *marks.items()], columns=["State or mark", "Meaning"])
    return table(frame, "States and marks", folded=True)


def measure_words(report: Report, measure: str) -> Html:
    """What the numbers of one measure say, first what matters most; then what people say of it."""
    row = assessment_row(report, measure)
    made = _rewards_of(report)
    reward = made.loc[measure] if measure in made.index else None
    earlier = report_before(report)
    before = None if earlier is None else assessment_row(earlier, measure)
    first = sentences(row, before, reward)
    more = f"{further_sentences(row, before, reward)}{_stage_words(report, measure)}".strip()
    said = commentary_words(report, measure)
    html = templates().get_template("measure.html.j2").render(first=first, more=more)
    return Html(html + said.html, "\n".join(filter(None, [first, more, said.text])))


@lru_cache(maxsize=4)
def _rewards_of(report: Report) -> pd.DataFrame:
    """The grants by measure; kept, since a page asks for them measure by measure."""
    return grants(report).set_index("measure")


def commentary_words(report: Report, about: str = WHOLE) -> Html:
    """What people wrote about a measure, or the whole agreement, for this report; often nothing.

    Parameters
    ----------
    report : Report
        The period's report. A public one shows only what is marked as public.
    about : str
        A measure of the assessment, or ``agreement``.

    Raises
    ------
    KeyError
        If there is no such measure.
    """
    if about != WHOLE:
        assessment_row(report, about)
    rows = entries(report.commentary, about, report.period.label, report.audience)
    said = [
        {
            "paragraphs": [part.strip() for part in row.text.splitlines() if part.strip()],
            "by": _written_by(row, report),
        }
        for row in rows.itertuples()
    ]
    html = templates().get_template("commentary.html.j2").render(entries=said)
    text = "\n".join(f"{one['by']}: {' '.join(one['paragraphs'])}" for one in said)
    return Html(html, text)


def _written_by(row: Any, report: Report) -> str:
    """Whose words they are, of when, and whether figures that came in later were known."""
    late = row.written.date() > report.cut_off
    after = ", after the figures of this report were closed" if late else ""
    made_up = "Illustrative commentary" if row.illustrative else "Commentary"
    return f"{made_up} by {row.author}, written on {day_text(row.written.date())}{after}"


def _stage_words(report: Report, measure: str) -> str:
    """Where a figure counted from April on stands beside the same stage of earlier years."""
    definition, made = report.agreement.measures.loc[measure], readings_with_path(report, measure)
    if definition["basis"] != "year_to_date" or made.empty:
        return ""
    last, unit = made.iloc[-1], str(definition["unit"])
    period = parse_period(last["period"])
    if period.kind != "quarter" or period.end.month == 3:
        return ""
    stage = same_stage(made, period, unit)
    text = f" From April to the end of {period} it is {with_unit(last['reading'], unit)}"
    if pd.notna(stage.year_before):
        text += f", and was {figure_text(stage.year_before, unit)} at the same stage a year before"
    if pd.notna(stage.share):
        text += (
            f"; in {counted(len(stage.years), 'earlier year')} {stage.share:.0%} of the whole "
            "year's figure had been reached by then"
        )
    return f"{text}."


def _sentence(text: str) -> Html:
    return Html(templates().get_template("words.html.j2").render(text=text), text)


def readings_table(report: Report, measure: str) -> Html:
    """The readings behind a measure's chart, each with the file and row it came from."""
    definition = report.agreement.measures.loc[measure]
    unit = definition["unit"]
    data = readings_with_path(report, measure)
    frame = pd.DataFrame(
        {
            "Period": data["period"],
            "Reading": [figure_text(value, unit) for value in data["reading"]],
            "Chance allows": [
                "–" if pd.isna(low) else f"{figure_text(low, unit)} to {figure_text(high, unit)}"
                for low, high in zip(data["lower"], data["upper"], strict=True)
            ],
            "By": data["interval"].str.replace("not worked out: ", "–, "),
            "Planned": [figure_text(value, unit) for value in data["planned"]],
            "Observed in the period": [
                "[c]" if pd.isna(value) else f"{value:,.10g}" for value in data["observed"]
            ],
            "Flag": data["flag"],
        }
    )
    frame = _with_withheld(frame, data, report, measure)
    if report.audience == "internal":
        sheet = data["sheet"].map(lambda name: f" sheet {name}" if name else "")
        frame["From"] = data["file"] + sheet + " " + data["column"] + data["row"].astype(str)
    caption = f"{definition['title']}: readings and planned path"
    shown = table(
        frame,
        caption,
        folded=True,
        numeric=["Reading", "Chance allows", "Planned", "Observed in the period"],
    )
    if report.audience != "internal":
        return shown
    lines = list(explain(report, measure))
    chain = templates().get_template("chain.html.j2").render(title=definition["title"], lines=lines)
    return Html(shown.html + chain, shown.text + "\n\n" + "\n".join(lines))


def _with_withheld(
    frame: pd.DataFrame, data: pd.DataFrame, report: Report, measure: str
) -> pd.DataFrame:
    """The readings with a row for each that is held back."""
    own = readings_not_shown(report, measure)
    if own.empty:
        return frame
    columns = ["Reading", "Chance allows", "Planned", "Observed in the period"]
    hidden = pd.DataFrame({"Period": own["period"]}).assign(**dict.fromkeys(columns, "[c]"))
    hidden = hidden.assign(By=NOT_SHOWN, Planned="–", Flag="–")
    ends = pd.concat([data["period_end"], own["period_end"]], ignore_index=True)
    both = pd.concat([frame, hidden], ignore_index=True)
    return both.loc[ends.sort_values(kind="stable").index].reset_index(drop=True)


def context_table(report: Report, reference: str) -> Html:
    """Published figures of other places that bear on a target, as known at the cut-off."""
    measures = report.agreement.measures
    context = measures[(measures["reference"] == reference) & (measures["role"] == "context")]
    rows = report.readings[report.readings["measure"].isin(context.index)]
    # What is made up was not published.
    rows = rows[~rows["illustrative"].astype(bool)]
    frame = pd.DataFrame(
        {
            "Figure": rows["measure"].map(context["title"]),
            "Area": rows["area"],
            "Period": rows["period"],
            "Value": [
                with_unit(value, context.at[measure, "unit"])
                for measure, value in zip(rows["measure"], rows["observed"], strict=True)
            ],
            "Source": rows["file"].map(report.sources.set_index("file")["address"]),
        }
    )
    return table(
        frame, f"Published figures that bear on {reference}", numeric=["Value"], folded=True
    )


def notes(report: Report, theme: str | None = None) -> Html:
    """Every assumed or derived figure behind the measures shown, with its reason."""
    measures = report.agreement.measures
    shown = measures.index[measures["reference"].isin(of_theme(report, theme)["reference"])]
    rows = report.agreement.assumptions
    rows = rows[rows["item"].isin({*shown, "agreement", "measures"})]
    rows = rows.assign(column=rows["column"].str.replace("_", " "))
    frame = rows[["item", "column", "status", "reason", "quality", "impact"]].set_axis(
        ["Measure", "What", "Status", "How and why", "Quality", "Impact"], axis=1
    )
    return table(frame, "What is assumed or derived", folded=True)


def not_stated_table(report: Report) -> Html:
    """What the documents leave open, measure by measure."""
    gaps: dict[str, Callable[[pd.Series], bool]] = {
        "baseline": lambda row: row["baseline_status"] == NOT_STATED,
        "target": lambda row: row["target_status"] == NOT_STATED,
        "performance without the agreement": lambda row: row["without_status"] == NOT_STATED,
        "due date": lambda row: row["due"] == NOT_STATED,
        "unit": lambda row: row["unit"] == NOT_STATED,
    }
    rows = [
        (row["measure"], row["title"], listed([gap for gap, open_ in gaps.items() if open_(row)]))
        for _, row in report.assessment.iterrows()
        if any(open_(row) for open_ in gaps.values())
    ]
    frame = pd.DataFrame(rows, columns=["Measure", "Title", "Not stated"])
    return table(frame, "What neither document states")


def differences_table(report: Report) -> Html:
    """Where the two documents do not say the same, and which is used."""
    frame = report.agreement.differences.set_axis(
        ["Reference", "Subject", "The bid says", "The strategy says", "Used", "Why"], axis=1
    )
    return table(frame, "Where the documents differ")


def targets_table(report: Report, theme: str | None = None) -> Html:
    """What each target is about, who is in it, and which targets it is linked to."""
    targets = report.agreement.targets
    if theme is not None:
        of_theme(report, theme)
        targets = targets[targets["theme"] == theme]
    links = report.agreement.links.groupby("reference")["linked_to"].agg(list)
    frame = pd.DataFrame(
        {
            "Reference": targets.index,
            "Outcome": targets["outcome"],
            "How": targets["description"],
            "Partners": targets["partners"].map("; ".join),
            "Linked to": [listed(links.get(reference, [])) for reference in targets.index],
        }
    )
    return table(frame, "The targets, their partners and their links", folded=True)


def state_counts(report: Report) -> Html:
    """How many measures that count for the grant are in each state, theme by theme."""
    counting = report.assessment[report.assessment["role"] == "target"]
    counts = pd.crosstab(counting["theme"], counting["state"])
    themes = report.agreement.settings.themes
    counts = counts.reindex(index=list(themes), fill_value=0)
    counts = counts[[state for state in STATES if state in counts]]
    frame = counts.reset_index().astype(object)
    frame["theme"] = frame["theme"].map(themes)
    frame = frame.rename(columns={"theme": "Theme"})
    return table(
        frame, f"Measures by theme and state, {report.period}", numeric=list(counts.columns)
    )


def returns_table(report: Report) -> Html:
    """What had come in by the cut-off, file by file."""
    rows = returns_received(report)
    frame = pd.DataFrame(
        {
            "File": rows["file"],
            "Figures": [f"{count:,}" for count in rows["rows"]],
            "Measures": rows["measures"],
            "Newest period": rows["newest"],
            "Last received": [day_text(day) for day in rows["received"]],
            "Kind": rows["illustrative"].map({True: "illustrative", False: "published"}),
        }
    )
    caption = f"Received by {day_text(report.cut_off)}"
    return table(frame, caption, numeric=["Figures", "Measures"])


def late_table(report: Report) -> Html:
    """Returns that were due and had not come in."""
    rows = due(report)
    rows = rows[~rows["returned"]]
    frame = pd.DataFrame(
        {
            "Partner": rows["partner"].map(report.agreement.settings.partners),
            "Measure": rows["measure"],
            "What is measured": rows["title"],
            "Period due": rows["period"],
            "Last that came": rows["last_period"],
        }
    )
    return table(frame, f"Late on {day_text(report.cut_off)}")


def findings_table(report: Report) -> Html:
    """What is wrong or doubtful in the files as they stand, by the partner to ask."""
    rows = findings_by_partner(report.findings, report.agreement)
    names = {**report.agreement.settings.partners, "": "nobody in particular"}
    frame = pd.DataFrame(
        {
            "Ask": rows["partner"].map(names),
            "Severity": rows["severity"],
            "Where": [_where(row) for row in rows.itertuples()],
            "Found": rows["found"].map(shorten, na_action="ignore"),
            "Expected": rows["expected"],
            "What to do": rows["remedy"],
        }
    )
    return table(frame, "Findings by partner")


def _where(row: Any) -> str:
    parts = [row.file, row.sheet, row.row, row.column]
    names = ["", "sheet ", "row ", "column "]
    return ", ".join(
        f"{name}{part}" for name, part in zip(names, parts, strict=True) if pd.notna(part)
    )


def corrections_table(report: Report) -> Html:
    """The corrections that figures of this report rest on."""
    frame = corrections_applied(report).set_axis(
        ["Measure", "Area", "Period", "Figure used", "Correction", "File"], axis=1
    )
    return table(frame, "Corrections applied", numeric=["Figure used"])


def revisions_table(report: Report) -> Html:
    """Figures that were revised since the last report, and the readings that this changed."""
    rows = revisions(report)
    units = rows["measure"].map(report.agreement.measures["unit"])
    frame = pd.DataFrame(
        {
            "Measure": rows["measure"],
            "Period": rows["period"],
            "Figure before": [f"{value:,.10g}" for value in rows["before"]],
            "Figure now": [f"{value:,.10g}" for value in rows["now"]],
            "Reading before": [*map(figure_text, rows["reading_before"], units)],
            "Reading now": [*map(figure_text, rows["reading_now"], units)],
        }
    )
    numeric = ["Figure before", "Figure now", "Reading before", "Reading now"]
    return table(frame, "Revised since the last report", numeric=numeric)


def breaks_table(report: Report) -> Html:
    """Series whose definition changed, and what joins the two."""
    rows = definition_breaks(report)
    titles = report.agreement.measures["title"]
    frame = pd.DataFrame(
        {
            "Measure": rows["measure"],
            "What is measured": rows["measure"].map(titles),
            "Continues": rows["continues"],
            "Area": rows["area"],
            "How they are joined": rows["method"],
        }
    )
    return table(frame, "Changes of definition")


def data_log(report: Report) -> Html:
    """Where every raw file came from."""
    frame = report.sources[["file", "title", "producer", "address", "licence", "note"]].set_axis(
        ["File", "What it is", "Producer", "Where found", "Terms", "Note"], axis=1
    )
    return table(frame, "Data log", folded=True)


def forecast_table(report: Report, theme: str | None = None) -> Html:
    """How likely each target is to be met, or why nothing can be said."""
    rows = of_theme(report, theme)
    units = rows["unit"]
    between = [
        "–" if pd.isna(low) else f"{figure_text(low, unit)} to {figure_text(high, unit)}"
        for low, high, unit in zip(rows["low_80"], rows["high_80"], units, strict=True)
    ]
    outlooks = [report.outlooks[measure] for measure in rows["measure"]]
    frame = pd.DataFrame(
        {
            "Measure": rows["measure"],
            "What is measured": rows["title"],
            "Due": rows["due"],
            "Target": [*map(figure_text, rows["target"], units)],
            "Middle of the forecast": [*map(figure_text, rows["forecast"], units)],
            "Eight in ten chances": between,
            "Chance of the target": [*map(chance_text, rows["chance_target"])],
            "Chance of the trigger": [*map(chance_text, rows["chance_trigger"])],
            "Readings": [one.readings or "–" for one in outlooks],
            "Note": [one.reason or one.note for one in outlooks],
        }
    )
    numeric = ["Target", "Middle of the forecast", "Eight in ten chances", "Chance of the target",
               "Chance of the trigger", "Readings"]  # fmt: skip
    return table(frame, f"How likely each target is to be met, {report.period}", numeric=numeric)


def reliability_table(reliable: pd.DataFrame, of_what: str) -> Html:
    """Of the forecasts that said so many per cent, how many came true."""
    frame = pd.DataFrame(
        {
            "Chance that was given": [
                f"{100 * row.said_from:.0f} to {100 * row.said_to:.0f}%"
                for row in reliable.itertuples()
            ],
            "Forecasts": [f"{count:,}" for count in reliable["forecasts"]],
            "Came true": [f"{share:.0%}" for share in reliable["came_true"]],
            "Chance alone allows": [
                f"{row.low:.0%} to {row.high:.0%}" for row in reliable.itertuples()
            ],
        }
    )
    return table(
        frame, f"How often forecasts came true: {of_what}", numeric=list(frame.columns[1:])
    )


def reliability_sentences(reliable: pd.DataFrame) -> Html:
    """The same in words, for a low, a middling and a high chance."""
    asked = reliable[reliable["said_from"].isin([0.1, 0.4, 0.7])]
    return _sentence(" ".join(reliability_words(asked).splitlines()))


def coverage_table(covered: pd.DataFrame, of_what: str) -> Html:
    """How often readings fell into the intervals, by length of history and horizon."""
    frame = pd.DataFrame(
        {
            "Readings known": covered["history"],
            "Periods ahead": covered["horizon"],
            "Forecasts": [f"{count:,}" for count in covered["forecasts"]],
            **{
                f"Within the {one}% interval": [
                    f"{share:.0%}" for share in covered[f"within_{one}"]
                ]
                for one in (50, 80, 95)
            },
        }
    )
    return table(
        frame, f"Readings within the intervals: {of_what}", numeric=list(frame.columns[2:]),
        folded=len(frame) > 8,
    )  # fmt: skip


def reference_table(scores: pd.DataFrame) -> Html:
    """Our forecasts beside the best other forecaster, on the reference panels.

    Parameters
    ----------
    scores : pandas.DataFrame
        As :func:`psa_analysis.backtest.reference` gives them.
    """
    keys = ["per_year", "panel", "history"]
    peers = scores[~scores["method"].str.startswith("psa_analysis")]
    best = peers.loc[peers.groupby(keys)["crps"].idxmin(), [*keys, "method", "crps"]]
    both = scores[scores["method"] == "psa_analysis"].merge(best, on=keys, suffixes=("", "_best"))
    alone = scores[scores["method"] == "psa_analysis, portfolio"][[*keys, "crps", "within_80"]]
    both = both.merge(alone, on=keys, suffixes=("", "_alone"))
    frame = pd.DataFrame(
        {
            "Panel": both["panel"] + both["per_year"].map({1: ", yearly", 4: ", quarterly"}),
            "Readings known": both["history"],
            "Series": both["series"],
            "Error, ours": [f"{value:.2f}" for value in both["crps"]],
            "Error, ours as in a report": [f"{value:.2f}" for value in both["crps_alone"]],
            "Error, best other": [f"{value:.2f}" for value in both["crps_best"]],
            "Which that is": both["method_best"],
            "Within our 80% interval": [f"{share:.0%}" for share in both["within_80"]],
            "The same as in a report": [f"{share:.0%}" for share in both["within_80_alone"]],
        }
    )
    numeric = [name for name in frame.columns if name not in ("Panel", "Which that is")]
    return table(frame, "Forecasts of the reference panels", numeric=numeric)


def grant_words(report: Report) -> Html:
    """What the reward of the whole agreement may come to, and what is not known of it."""
    made, table = whole_grant(report), grants(report)
    settings = report.agreement.settings
    unknown = table[table["status"] == "not stated"]
    low, high = made.interval(80)
    said = [f"The reward comes to {range_text(*made.expected())} of the pot"]
    if (table["status"] == "forecast").any():
        said = [
            f"The reward is expected to come to {range_text(*made.expected())} of the pot; eight "
            f"in ten chances lie between {low:.0%} and {high:.0%}",
            f"The chance of half of the pot or more is {_chance_range(made, 0.5)}",
        ]
    if len(unknown):
        said.append(
            f"Nothing can be said of {counted(len(unknown), 'measure')} with {made.unknown:.0%} of "
            f"the pot, and nothing is counted for them: {listed(unknown['measure'].tolist())}"
        )
    if (table["least"] < table["most"]).any():
        said.append(
            "The figures are ranges because performance without the agreement is not stated for "
            "most measures: at the least only a target that is met pays, at the most performance "
            "would have stayed at the baseline"
        )
    whole = pot(settings)
    if whole is None:
        said.append(
            "The net budget requirement is not stated, so the pot is not known in pounds: all "
            "figures are shares of it"
        )
    else:
        low, high = (share * float(whole) for share in made.expected())
        said.append(
            f"The pot is £{float(whole):,.0f}, and that much of it {pounds_text(low, high)}"
        )
    start = pump_priming(settings)
    if start is not None:
        said.append(f"The pump-priming grant at the start is £{float(start):,.0f}")
    if report.assessment["illustrative"].any():
        said.append("These figures are illustrative, since the outturns that they rest on are")
    return _sentence(". ".join(said) + ".")


def _chance_range(made: WholeGrant, share: float) -> str:
    """``4%``, ``under 1% to 34%``: how likely at least this share of the pot is."""
    low, high = (chance_text(chance) for chance in made.chance(share))
    return low if low == high else f"{low} to {high}"


def grant_table(report: Report) -> Html:
    """Each measure's part of the pot, and how much of it is expected."""
    rows = grants(report)
    frame = pd.DataFrame(
        {
            "Measure": rows["measure"],
            "What is measured": rows["title"],
            "Share of the pot": [f"{share:.1%}" for share in rows["pot_share"]],
            "Paid or expected of it": [
                range_text(*pair) for pair in zip(rows["least"], rows["most"], strict=True)
            ],
            "Eight in ten chances": [
                range_text(low, high) if status == "forecast" else "–"
                for low, high, status in zip(
                    rows["low_80"], rows["high_80"], rows["status"], strict=True
                )
            ],
            "Status": rows["status"],
            "Rests on": rows["why"],
        }
    )
    if rows["pounds_most"].notna().any():
        pairs = zip(rows["pounds_least"], rows["pounds_most"], strict=True)
        frame.insert(4, "In pounds", [pounds_text(*pair) for pair in pairs])
    numeric = ["Share of the pot", "Paid or expected of it", "In pounds", "Eight in ten chances"]
    return table(frame, f"The reward by measure, {report.period}", numeric=numeric)


def grant_chances_table(report: Report) -> Html:
    """How likely at least so much of the pot is."""
    made = whole_grant(report)
    shares = [number / 10 for number in range(1, 11)]
    frame = pd.DataFrame(
        {
            "At least": [f"{share:.0%} of the pot" for share in shares],
            "Chance": [_chance_range(made, share) for share in shares],
        }
    )
    whole = pot(report.agreement.settings)
    if whole is not None:
        frame.insert(1, "In pounds", [f"£{float(whole) * share:,.0f}" for share in shares])
    caption = "How likely each part of the pot is"
    return table(frame, caption, numeric=["In pounds", "Chance"], folded=True)


#: A correlation for every link, to show what the choice does; no document states one.
SHOWN_CORRELATION = 0.5


def grant_links_table(report: Report) -> Html:
    """What it does to the whole if linked measures go together."""
    stated = int(report.agreement.links["correlation"].notna().sum())
    cases = {
        "As the register states "
        f"({counted(stated, 'link') if stated else 'no link'} with a correlation)": None,
        "All apart": 0.0,
        f"Every link {SHOWN_CORRELATION:g}, or as near to it as all can be (for comparison only)": (
            SHOWN_CORRELATION
        ),
    }
    made = {name: whole_grant(report, links) for name, links in cases.items()}
    frame = pd.DataFrame(
        {
            "Linked measures go together": list(made),
            "Expected": [range_text(*one.expected(), 1) for one in made.values()],
            "Eight in ten chances": [range_text(*one.interval(80), 1) for one in made.values()],
            "At least half of the pot": [_chance_range(one, 0.5) for one in made.values()],
        }
    )
    numeric = ["Expected", "Eight in ten chances", "At least half of the pot"]
    return table(frame, "What links between targets do to the whole", numeric=numeric)


def gains_table(report: Report) -> Html:
    """Where a better outturn would bring most."""
    rows = gains(report)
    steps = zip(rows["step"], rows["unit"], strict=True)
    frame = pd.DataFrame(
        {
            "Measure": rows["measure"],
            "What is measured": rows["title"],
            "A tenth of the way is": [with_unit(step, _points(unit)) for step, unit in steps],
            "It adds, of the pot": _ranges(rows, "least", "most"),
            "One unit adds": _ranges(rows, "unit_least", "unit_most"),
        }
    )
    caption = "What a due reading that is better by a tenth of the way to the target would bring"
    return table(frame, caption, numeric=list(frame.columns[2:]))


def _points(unit: str) -> str:
    """The unit of a difference."""
    return "percentage points" if unit in ("percent", "percent change") else unit


def _ranges(rows: pd.DataFrame, one: str, other: str, decimals: int = 2) -> list[str]:
    """The lesser of two columns to the greater, row by row."""
    pairs = np.sort(rows[[one, other]].to_numpy(dtype=float), axis=1)
    return [range_text(low, high, decimals) for low, high in pairs]


def payments_table(report: Report) -> Html:
    """When the reward is paid, and in which kind of money."""
    rows = payments(report)
    frame = pd.DataFrame(
        {
            "Year": rows["year"],
            "Payment": rows["what"],
            "Of the pot": _ranges(rows, "least", "most", 1),
        }
    )
    for kind in ("pounds", "capital"):
        if rows[f"{kind}_most"].notna().any():
            pairs = zip(rows[f"{kind}_least"], rows[f"{kind}_most"], strict=True)
            name = "In pounds" if kind == "pounds" else "Of that capital"
            frame[name] = [pounds_text(*pair) for pair in pairs]
    numeric = [name for name in frame.columns if name not in ("Year", "Payment")]
    return table(frame, "When the reward is paid", numeric=numeric)


def partners_table(report: Report) -> Html:
    """How much of the reward rests on each partner."""
    rows = by_partner(report)
    frame = pd.DataFrame(
        {
            "Partner": rows["partner"],
            "Takes part in": rows["targets"].map(listed),
            "Share of the pot": [f"{share:.0%}" for share in rows["pot_share"]],
            "Expected": _ranges(rows, "least", "most", 1),
        }
    )
    caption = "The reward that rests on each partner; one of several partners counts whole for each"
    return table(frame, caption, numeric=["Share of the pot", "Expected"], folded=True)


def links_table(report: Report) -> Html:
    """The links that the agreement states, with the states of what they join."""
    links, rows = report.agreement.links, report.assessment
    counting = rows[rows["role"] == "target"]
    states = counting.groupby("reference")["state"].agg(lambda own: listed(list(own.unique())))
    topics = report.agreement.settings.topics
    frame = pd.DataFrame(
        {
            "Target": links["reference"],
            "State of its measures": links["reference"].map(states),
            "Linked to": [
                f"{name} ({listed(topics[name])})" if name in topics else name
                for name in links["linked_to"]
            ],
            "State of theirs": [
                listed(list(dict.fromkeys(states[one] for one in topics.get(name, [name]))))
                for name in links["linked_to"]
            ],
            "Correlation": [
                NOT_STATED if pd.isna(value) else f"{float(value):g}"
                for value in links["correlation"]
            ],
        }
    )
    return table(frame, "Which targets the agreement links", numeric=["Correlation"], folded=True)


def no_family(report: Report, family: str) -> str:
    """Why a register has no family to show, or nothing; a family that it misses is an error."""
    there = len(report.agreement.families) or family in set(report.agreement.areas["kind"])
    return "" if there else "The register names no family of authorities."


def no_funnel(report: Report, measure: str, family: str) -> str:
    """Why there is no funnel of a measure in a family, or nothing."""
    if said := no_family(report, family):
        return said
    reason = funnel(report, measure, family).reason
    title = report.agreement.measures.at[measure, "title"]
    return f"{title}: no funnel, since {reason}." if reason else ""


def family_words(report: Report, measure: str, family: str, own: str | None = None) -> Html:
    """Where the agreement's area stands in a family, and where the top quartile is heading.

    Parameters
    ----------
    report : Report
        The period's report.
    measure : str
        A measure of the register with figures of the family.
    family : str
        A family of ``families.csv``, or a kind of area.
    own : str, optional
        The followed measure with the agreement's own readings of the same thing.

    Raises
    ------
    KeyError
        If there is no such measure or family.
    """
    if said := no_family(report, family):
        return _sentence(said)
    newest = newest_standing(report, measure, family)
    if newest is None:
        return _sentence(
            f"Too few figures of the {family} had come in by {day_text(report.cut_off)} to say "
            "where the top quartile begins."
        )
    definition = report.agreement.measures.loc[measure]
    unit, area = figure_unit(definition), report.agreement.settings.agreement.area
    said = standing_sentences(newest, area, unit)
    years = standings(report, measure, family)
    first = years[years["edge"].notna()].iloc[0]
    if first["period"] != newest["period"]:
        said += (
            f" In {first['period']} the top quartile began at {figure_text(first['edge'], unit)}."
        )
    ahead = family_outlook(report, measure, family, own)
    if ahead.reason:
        return _sentence(f"{said} No forecast of the top quartile: {ahead.reason}.")
    low, high = ahead.edge.interval(80)
    said += (
        f" By {ahead.edge.periods[-1]} it is forecast to begin at "
        f"{figure_text(ahead.edge.median, unit)}, with eight in ten chances between "
        f"{figure_text(low, unit)} and {figure_text(high, unit)}. The chance that {area} is in the "
        f"top quartile then is {chance_text(float(ahead.chance[-1]))}."
    )
    if ahead.left_out:
        said += f" The forecast is made without {listed(list(ahead.left_out))}: too few figures."
    return _sentence(said)


def family_table(report: Report, measure: str, family: str) -> Html:
    """The newest figures of a family in order, best first; those that do not count at the end.

    Parameters
    ----------
    report, measure, family
        As in :func:`family_words`.
    """
    if said := no_family(report, family):
        return _sentence(said)
    definition = report.agreement.measures.loc[measure]
    unit, higher = figure_unit(definition), higher_is_better(definition)
    newest = newest_standing(report, measure, family)
    if newest is None:
        return _sentence(f"{definition['title']}: too few figures were known.")
    rows = family_figures(report, measure, family)
    rows = rows[rows["period"] == newest["period"]]
    ranked = rows[rows["left_out"] == ""].copy()
    ranked["place"] = [place(one, ranked["figure"], higher) for one in ranked["figure"]]
    ranked = ranked.sort_values(["place", "area"])
    left_out = rows[rows["left_out"] != ""]
    better = 1 if higher else -1
    points = partial(figure_text, unit="percentage points" if unit == "percent" else unit)
    shared = ranked["place"].duplicated(keep=False)
    frame = pd.DataFrame(
        {
            "Authority": ranked["area"],
            "Place": ranked["place"].astype(str) + shared.map({True: " =", False: ""}),
            "Figure": [figure_text(value, unit) for value in ranked["figure"]],
            "Chance allows": [
                "–" if pd.isna(low) else f"{figure_text(low, unit)} to {figure_text(high, unit)}"
                for low, high in zip(ranked["lower"], ranked["upper"], strict=True)
            ],
            "Quartile": [
                QUARTILES[quartile(value, ranked["figure"], higher)] for value in ranked["figure"]
            ],
            "Inside the edge": [
                "on it" if abs(value) < 1e-9 else f"{'+' if value > 0 else '−'}{points(abs(value))}"
                for value in better * (ranked["figure"] - newest["edge"])
            ],
        }
    )
    if ranked["lower"].isna().all():
        frame = frame.drop(columns="Chance allows")
    others = [
        {"Authority": area, "Place": f"left out: {why}", "Figure": figure_text(figure, unit)}
        for area, why, figure in left_out[["area", "left_out", "figure"]].itertuples(index=False)
    ] + [{"Authority": area, "Place": "no figure had come in"} for area in newest["missing"]]
    frame = pd.concat([frame, pd.DataFrame(others)], ignore_index=True)
    return table(
        frame, f"{_family_title(definition, family, bool(newest['illustrative']))}, "
        f"{newest['period']}; the top quartile begins at {figure_text(newest['edge'], unit)}",
        numeric=["Figure", "Chance allows", "Inside the edge"],
    )  # fmt: skip


def standings_table(report: Report, measure: str, family: str) -> Html:
    """Year by year: where the top quartile began, and the place of the agreement's area.

    Parameters
    ----------
    report, measure, family
        As in :func:`family_words`.
    """
    if said := no_family(report, family):
        return _sentence(said)
    definition, rows = report.agreement.measures.loc[measure], standings(report, measure, family)
    unit = figure_unit(definition)
    frame = pd.DataFrame(
        {
            "Period": rows["period"],
            "Our figure": [figure_text(value, unit) for value in rows["figure"]],
            "Top quartile begins at": [figure_text(value, unit) for value in rows["edge"]],
            "Place": [
                "–" if pd.isna(row.place) else f"{row.place:.0f} of {row.ranked}"
                for row in rows.itertuples()
            ],
            "Quartile": rows["quartile"].map(QUARTILES),
            "No figure from": [listed(list(names)) or "–" for names in rows["missing"]],
            "Left out": [listed(list(names)) or "–" for names in rows["left_out"]],
            "Note": rows["reason"],
        }
    )
    return table(
        frame, f"{_family_title(definition, family, bool(rows['illustrative'].any()))}, by year",
        numeric=["Our figure", "Top quartile begins at"], folded=True,
    )  # fmt: skip


def _family_title(definition: pd.Series, family: str, illustrative: bool) -> str:
    mark = " (illustrative figures)" if illustrative else ""
    return f"{definition['title']}: our place in the {family}{mark}"


def funnel_table(report: Report, measure: str, family: str) -> Html:
    """Each authority's figure beside what chance allows for its number of cases.

    Parameters
    ----------
    report, measure, family
        As in :func:`family_words`.
    """
    if said := no_funnel(report, measure, family):
        return _sentence(said)
    definition, made = report.agreement.measures.loc[measure], funnel(report, measure, family)
    unit = figure_unit(definition)
    rows = made.units.sort_values("denominator")
    frame = pd.DataFrame(
        {
            "Authority": rows["area"],
            "Counted": [f"{value:,.10g}" for value in rows["numerator"]],
            "Counted among": [f"{value:,.10g}" for value in rows["denominator"]],
            "Figure": [figure_text(value, unit) for value in rows["figure"]],
            **{
                f"{percent}% limits": [
                    f"{figure_text(low, unit)} to {figure_text(high, unit)}"
                    for low, high in zip(
                        rows[f"low_{percent}"], rows[f"high_{percent}"], strict=True
                    )
                ]
                for percent in ("95", "99.8")
            },
            "Beyond": rows["outside"].replace("", "–"),
        }
    )
    mark = " (illustrative figures)" if made.illustrative else ""
    return table(
        frame, f"{definition['title']}, {made.period}: what chance allows around the family's mean "
        f"of {figure_text(made.mean, unit)}{mark}",
        numeric=[name for name in frame if name not in ("Authority", "Beyond")], folded=True,
    )  # fmt: skip


def funnel_words(report: Report, measure: str, family: str) -> Html:
    """How many authorities differ from the family's mean by more than chance allows, and which.

    Parameters
    ----------
    report, measure, family
        As in :func:`family_words`.
    """
    if said := no_funnel(report, measure, family):
        return _sentence(said)
    definition, made = report.agreement.measures.loc[measure], funnel(report, measure, family)
    unit, area = figure_unit(definition), report.agreement.settings.agreement.area
    rows = made.units.set_index("area")
    said = "Illustrative figures. " if made.illustrative else ""
    said += (
        f"In {made.period} the mean of the family is {with_unit(made.mean, unit)}, all cases taken "
        "together. "
    )
    if area in rows.index:
        own = rows.loc[area]
        where = "within what chance allows" if not own["outside"] else f"{own['outside']} limits"
        where = where.replace("% limits", "% of what chance allows")
        said += f"{area}, at {figure_text(own['figure'], unit)}, is {where}. "
    else:
        said += f"No figure of {area} is in it. "
    far = rows[rows["outside"].str.endswith("99.8%")]
    named = [f"{name} ({row['outside'].split()[0]})" for name, row in far.iterrows()]
    said += (
        "Chance alone would put about one authority in twenty beyond the 95% limits and hardly any "
        f"beyond the 99.8% limits. Here it is {(rows['outside'] != '').sum()} of {len(rows)} and "
        f"{len(far)} of {len(rows)}{': ' if named else ''}{listed(named)}."
    )
    if made.unlike:
        said += " So more than chance sets these authorities apart."
    return _sentence(said)


def commitment_words(report: Report) -> Html:
    """How many commitments are delivered, which give cause for concern, and what moved."""
    rows = report.commitments
    if rows.empty:
        return _sentence("The register holds no commitments.")
    number = rows["state"].value_counts().reindex(list(COMMITMENT_STATES), fill_value=0)
    delivered = number[list(COUNTED_DONE)].sum()
    late = number["done late"]
    said = [
        f"{delivered} of {counted(len(rows), 'commitment')} {_are(delivered)} delivered"
        + (f", {late} of them after the date" if late else ""),
        f"{number['overdue']} {_are(number['overdue'])} overdue and {number['at risk']} at risk; "
        f"for {number['no data']} nothing was reported that says where things stand",
        f"{number['on track']} {_are(number['on track'])} on track and {number['not due']} not due "
        "within a year",
    ]
    if unjudged := number[NOT_STATED]:
        open_ = rows[rows["state"] == NOT_STATED]
        own = (open_["lead_status"] == "done").sum()
        said.append(
            f"{unjudged} cannot be judged, since no document states a date or a figure"
            + (f"; their leads call {own} of these done" if own else "")
        )
    if rows["previous_state"].notna().any():
        changed = len(moved(rows))
        said.append(f"{changed} changed state since the last report" if changed else
                    "None changed state since the last report")  # fmt: skip
    if made_up := rows["illustrative"].sum():
        said.append(f"What was reported is illustrative, that is made up, for {made_up} of them")
    return _sentence(". ".join(said) + ".")


def _are(number: int) -> str:
    return "is" if number == 1 else "are"


def commitment_counts(report: Report) -> Html:
    """How many commitments are in each state, objective by objective."""
    made = counts(report.commitments, report.agreement)
    shown = [state for state in COMMITMENT_STATES if made[state].any()]
    frame = made[[*shown, "in all"]].astype(object).reset_index()
    frame["objective"] = frame["objective"].map(report.agreement.settings.objectives)
    if len(frame) > 1:
        frame.loc[len(frame)] = ["All objectives", *made[[*shown, "in all"]].sum()]
    frame = frame.rename(columns={"objective": "Objective"})
    caption = (
        f"Commitments by objective and state, {report.period}{_progress_mark(report.commitments)}"
    )
    return table(frame, caption, numeric=list(frame.columns[1:]))


def closing_account(report: Report) -> Html:
    """What was published of priorities delivered, beside what the register counts."""
    facts = report.agreement.facts
    rows = facts[facts["unit"] == "priorities"]
    frame = pd.DataFrame(
        {
            "What was published": rows["fact"],
            "Number": [figure_text(float(value), "priorities") for value in rows["value"]],
            "Period": rows["period"],
            "Where": rows["location"],
        }
    )
    shown = table(frame, "Priorities delivered, as published", numeric=["Number"])
    promised = report.commitments
    if rows.empty or promised.empty:
        return shown
    beside = _sentence(
        f"The register splits the strategy's priorities into {counted(len(promised), 'promise')} "
        f"under {promised['priority'].nunique()} headings, and counts the agreement's own targets "
        "apart. What the published count takes for a priority is not stated, so the two cannot be "
        "set against each other."
    )
    return Html(shown.html + beside.html, f"{shown.text}\n\n{beside.text}")


def commitments_table(report: Report, objective: str) -> Html:
    """Every commitment of one objective: what was promised, its state, and what shows it.

    Parameters
    ----------
    report : Report
        The period's report.
    objective : str
        An objective of ``agreement.toml``.

    Raises
    ------
    KeyError
        If there is no such objective.
    """
    objectives = report.agreement.settings.objectives
    if objective not in objectives:
        known = ", ".join(objectives)
        raise KeyError(f"there is no objective '{objective}'; the agreement has {known}")
    rows = report.commitments[report.commitments["objective"] == objective]
    frame = _promises(rows).assign(
        **{"State": rows["state"], "Why": _capitalised(rows["reason"]), "Evidence": _evidence(rows)}
    )
    if report.audience == "internal":
        frame["From"] = [
            f"{file} row {row}" if file else "–"
            for file, row in zip(rows["file"], rows["row"], strict=True)
        ]
    return table(frame, f"{objectives[objective]}{_progress_mark(rows)}")


def _promises(rows: pd.DataFrame) -> pd.DataFrame:
    """The first columns of every table of commitments."""
    promised = [
        f"{row.promise}: {with_unit(row.target, row.unit)}" if row.kind == "level" else row.promise
        for row in rows.itertuples()
    ]
    days = [
        due if pd.isna(day) else f"{due} (by {day_text(day)})"
        for due, day in zip(rows["due"], rows["due_date"], strict=True)
    ]
    return pd.DataFrame(
        {"Commitment": rows["commitment"], "What is promised": promised, "Due": days}
    )


def _capitalised(texts: pd.Series) -> pd.Series:
    return texts.str[:1].str.upper() + texts.str[1:]


def _evidence(rows: pd.DataFrame) -> list[str]:
    """What shows the state, when it came in, and whether it is made up."""
    return [
        "–"
        if pd.isna(row.reported)
        else f"{row.evidence or 'its lead’s report'}, {day_text(row.reported)}"
        + (" (illustrative)" if row.illustrative else "")
        for row in rows.itertuples()
    ]


def exceptions_table(report: Report) -> Html:
    """Commitments that are overdue, at risk or of which nothing is known, worst first."""
    rows = report.commitments[report.commitments["state"].isin(EXCEPTIONS)]
    order = {state: number for number, state in enumerate(EXCEPTIONS)}
    rows = rows.assign(order=rows["state"].map(order))
    rows = rows.sort_values(["order", "due_date"], kind="stable")
    frame = _promises(rows).assign(State=rows["state"], Why=_capitalised(rows["reason"]))
    caption = f"Overdue, at risk, or nothing known, {report.period}{_progress_mark(rows)}"
    return table(frame, caption)


def moved_table(report: Report) -> Html:
    """Commitments whose state is another than in the report of the quarter before."""
    rows = moved(report.commitments)
    frame = _promises(rows).drop(columns="Due")
    frame["Last report"] = rows["previous_state"]
    frame["Now"] = rows["state"]
    frame["Why"] = _capitalised(rows["reason"])
    return table(frame, f"Changed state since the last report{_progress_mark(rows)}")


def unjudged_table(report: Report) -> Html:
    """Commitments that cannot be judged, with what is missing and what their leads say."""
    rows = report.commitments[report.commitments["state"] == NOT_STATED]
    frame = _promises(rows).drop(columns="Due")
    frame["Why it cannot be judged"] = _capitalised(rows["reason"])
    return table(frame, f"Cannot be judged{_progress_mark(rows)}")


def commitment_key(report: Report) -> Html:
    """What the states of commitments mean, with the threshold between two of them."""
    share = report.agreement.settings.states.path_on_track
    meanings = dict(COMMITMENT_STATES)
    meanings["the line"] = (
        "equal steps from the baseline to the figure promised: at risk below "
        f"{share:.0%} of the improvement planned by then"
    )
    meanings["a lead's report"] = "counts in the report of its quarter and in the next one"
    frame = pd.DataFrame([*meanings.items()], columns=["State", "Meaning"])
    return table(frame, "States of commitments", folded=True)


def commitment_notes(report: Report) -> Html:
    """What is assumed about the commitments, with its reason."""
    rows = report.agreement.assumptions
    rows = rows[rows["item"].isin([*report.commitments["commitment"], "commitments"])]
    rows = rows.assign(column=rows["column"].str.replace("_", " "))
    frame = rows[["item", "column", "status", "reason", "quality", "impact"]].set_axis(
        ["Commitment", "What", "Status", "How and why", "Quality", "Impact"], axis=1
    )
    return table(frame, "What is assumed about the commitments", folded=True)


def contributions_words(report: Report, measure: str, kind: str | None = None) -> Html:
    """Which parts make up the gap to the target, and what the change came from, in words."""
    apart = decompose(report, measure, kind)
    if apart.reason:
        return _no_parts(measure, apart.reason)
    definition = report.agreement.measures.loc[measure]
    unit, title = str(definition["unit"]), definition["title"]
    parts = apart.table[apart.table["part"] != REST]
    made_up = " (illustrative)" if apart.illustrative else ""
    said = [
        f"{title}, {apart.period}: {with_unit(_number(apart.level), unit)}, made up of "
        f"{counted(len(parts), apart.kind)}{made_up}"
    ]
    if apart.target is not None and parts["gap"].notna().all():
        said += _gap_words(apart, parts, unit, str(definition["polarity"]))
    if apart.since:
        said.append(_change_words(apart, unit, rate_factor(unit) is not None))
    rest = apart.table[apart.table["part"] == REST]
    if len(rest):
        adds = difference_text(_number(rest["level"].iloc[0]), unit)
        said.append(f"What the parts do not hold adds {adds} to the reading")
    if apart.missing:
        said.append(f"Without a figure, and so no part of this: {listed(list(apart.missing))}")
    return _sentence(". ".join(said) + ".")


def _gap_words(apart: Decomposition, parts: pd.DataFrame, unit: str, polarity: str) -> list[str]:
    """How far the whole is from the target, and the parts that most of it comes from."""
    assert apart.level is not None
    assert apart.target is not None
    gap, sign = apart.level - apart.target, 1 if polarity == "higher" else -1
    target = with_unit(_number(apart.target), unit)
    if sign * gap >= 0:
        return [f"The target of {target} is reached"]
    short = parts[sign * parts["gap"].astype(float) < 0]
    most = (sign * short["gap"].astype(float)).sort_values(kind="stable").index[:3]
    names = [
        f"{_part_name(name)} with {difference_text(abs(_number(value)), unit, signed=False)}"
        for name, value in short.loc[most, ["part", "gap"]].itertuples(index=False)
    ]
    size = difference_text(abs(_number(gap)), unit, signed=False, named=True)
    said = [f"That is {size} {'below' if gap < 0 else 'above'} the target of {target}"]
    if names:
        one = len(names) == 1
        largest = f"The largest {'part' if one else 'parts'} of this gap {'is' if one else 'are'}"
        parts_text, are = counted(len(parts), apart.kind), "is" if len(short) == 1 else "are"
        said.append(
            f"{largest} {listed(names)}; {len(short)} of {parts_text} {are} short of the target"
        )
    return said


def _change_words(apart: Decomposition, unit: str, rate: bool) -> str:
    """Which way the whole moved, and for a rate how far its parts moved or their sizes did."""
    assert apart.level is not None
    assert apart.before is not None
    change = apart.level - apart.before
    if not change:
        return f"It is the same as in {apart.since}"
    size = difference_text(abs(_number(change)), unit, signed=False, named=True)
    text = f"Since {apart.since} it has {'risen' if change > 0 else 'fallen'} by {size}"
    if not rate:
        return text
    within, mix = (difference_text(_number(apart.table[name].sum()), unit)
                   for name in ("within", "mix"))  # fmt: skip
    return f"{text}: {within} because the rates of the parts moved, {mix} because their sizes did"


def _number(value: Any) -> float:
    """An exact fraction, or nothing, as a number."""
    return float("nan") if value is None or pd.isna(value) else float(value)


def _part_name(name: str) -> str:
    return name[:1].upper() + name[1:]


def _no_parts(measure: str, reason: str) -> Html:
    return _sentence(f"{measure} is not shown by part: {reason}.")


def contributions_table(report: Report, measure: str, kind: str | None = None) -> Html:
    """What each part adds to the reading, its change and its gap; the whole stands last."""
    apart = decompose(report, measure, kind)
    if apart.reason:
        return _no_parts(measure, apart.reason)
    definition = report.agreement.measures.loc[measure]
    unit, rate = str(definition["unit"]), rate_factor(definition["unit"]) is not None
    titles = report.agreement.measures["title"].to_dict()
    by = apart.table["gap" if apart.target is not None else "level"].map(_number)
    order = by.mul(1 if definition["polarity"] == "higher" else -1).sort_values(kind="stable").index
    order = [*order[apart.table.loc[order, "part"] != REST],
             *order[apart.table.loc[order, "part"] == REST]]  # fmt: skip
    sums = ["level", "change", "within", "mix", "gap", "gap_to_path"]
    whole = {name: apart.table[name].sum() if apart.table[name].notna().all() else None
             for name in sums}  # fmt: skip
    whole |= {name: apart.whole[name] for name in ("numerator", "denominator", "numerator_before")}
    whole |= {"part": report.agreement.settings.agreement.area, "rate": apart.level}
    rows = pd.concat([apart.table.loc[order], pd.DataFrame([whole], dtype=object)])
    frame = pd.DataFrame({"Part": [_part_name(titles.get(name, name)) for name in rows["part"]]})
    shown = {"numerator": "Counted"}
    if rows["denominator"].notna().any():
        shown["denominator"] = "Of" if rate else "In the base year"
    elif apart.since:
        shown["numerator_before"] = f"In {apart.since}"
    for column, heading in shown.items():
        frame[heading] = [figure_text(_number(value), "") for value in rows[column]]
    if rows["denominator"].notna().any():
        frame["Its reading"] = [figure_text(_number(value), unit) for value in rows["rate"]]
    headings = {"level": "Adds to the reading"}
    if apart.since and (rate or apart.before):
        headings["change"] = f"Adds to the change since {apart.since}"
    if apart.since and rate:
        headings |= {"within": "of it by its own rate", "mix": "of it by its size"}
    headings |= {
        "gap": "Adds to the gap to the target",
        "gap_to_path": "Adds to the gap to the plan",
    }
    for column, heading in headings.items():
        if rows[column].notna().any():
            frame[heading] = [difference_text(_number(value), unit) for value in rows[column]]
    made_up = " (illustrative)" if apart.illustrative else ""
    caption = f"{definition['title']} by {apart.kind}, {apart.period}{made_up}"
    return table(frame, caption, numeric=list(frame.columns[1:]), folded=len(frame) > 8)


def hotspots_words(report: Report, measure: str, kind: str | None = None) -> Html:
    """Which parts are better or worse than the whole after allowing for chance, in words."""
    found = hotspots(report, measure, kind)
    if found.reason:
        return _sentence(f"The parts of {measure} are not compared: {found.reason}.")
    area, apart = report.agreement.settings.agreement.area, found.decomposition
    said, told = [], 0
    higher = report.agreement.measures.at[measure, "polarity"] == "higher"
    rows = found.table[::-1] if higher else found.table
    for words, mine in (
        ("worse", rows["chance_worse"] >= SURE),
        ("better", rows["chance_worse"] <= 1 - SURE),
    ):
        names = [_part_name(name) for name in rows.loc[mine, "part"]]
        told += len(names)
        if names:
            verb = "is" if len(names) == 1 else "are"
            said.append(f"{listed(names)} {verb} {words} than {area}")
    if told < len(rows):
        rest = "the other " if said else "all "
        rest += counted(len(rows) - told, apart.kind)
        said.append(f"For {rest} chance may explain the difference")
    spread = difference_text(found.spread, found.unit, signed=False, named=True)
    return _sentence(
        f"{_hotspots_title(report, found)}: {area} stands at {with_unit(found.whole, found.unit)}, "
        f"and a {apart.kind} is called worse or better where its range of 95 in 100 chances leaves "
        f"that out. {'. '.join(said)}. Beyond what chance makes, they differ by about {spread} "
        "(standard deviation)."
    )


def _hotspots_title(report: Report, found: Hotspots) -> str:
    """What is compared, of when, and whether it is made up."""
    apart, definition = (
        found.decomposition,
        report.agreement.measures.loc[found.decomposition.measure],
    )
    counts = rate_factor(definition["unit"]) is None
    change = f" against {apart.since}" if counts else ""
    made_up = " (illustrative)" if apart.illustrative else ""
    return (
        f"{definition['title']} by {apart.kind} after allowing for chance, "
        f"{apart.period}{change}{made_up}"
    )


def hotspots_table(report: Report, measure: str, kind: str | None = None) -> Html:
    """Each part's figure after allowing for chance, with the places that it may have."""
    found = hotspots(report, measure, kind)
    if found.reason:
        return _sentence(f"The parts of {measure} are not compared: {found.reason}.")
    rows, unit = found.table, found.unit
    frame = pd.DataFrame(
        {
            "Part": rows["part"].map(_part_name),
            "As observed": [figure_text(value, unit) for value in rows["observed"]],
            "Allowing for chance": [figure_text(value, unit) for value in rows["shrunken"]],
            "95 in 100 chances": [
                f"{figure_text(row.lower, unit)} to {figure_text(row.upper, unit)}"
                for row in rows.itertuples()
            ],
            f"Chance that it is worse than {report.agreement.settings.agreement.area}": [
                chance_text(chance) for chance in rows["chance_worse"]
            ],
            "Place, 1 is best": [
                f"{row.place_low} to {row.place_high}" if row.place_low < row.place_high
                else f"{row.place_low}"
                for row in rows.itertuples()
            ],
        }
    )  # fmt: skip
    caption = _hotspots_title(report, found)
    return table(frame, caption, numeric=list(frame.columns[1:]), folded=len(frame) > 8)


def what_if_words(
    report: Report, measure: str, changes: Mapping[str, float | str], kind: str | None = None
) -> Html:
    """What the reading and the chance of the target would be if these parts were elsewhere."""
    found = what_if(report, measure, changes, kind)
    if found.reason:
        return _no_parts(measure, found.reason)
    apart, definition = found.decomposition, report.agreement.measures.loc[measure]
    unit = str(definition["unit"])
    assert found.effect is not None
    size = difference_text(abs(_number(found.effect)), unit, signed=False, named=True)
    moved = f"{size} {'higher' if found.effect > 0 else 'lower'}" if found.effect else "the same"
    now = with_unit(_number(apart.level), unit)
    levels = [
        f"{_part_name(row.part)} at {with_unit(_number(row.then), unit)}"
        for row in found.table.itertuples()
    ]
    given = listed(levels)
    if set(changes.values()) == {AVERAGE}:
        area, names = report.agreement.settings.agreement.area, map(_part_name, changes)
        given = (
            f"{listed(list(names))} at {area}'s present average of {now}, themselves counted in it"
        )
    said = [
        f"With {given}, the reading of {apart.period} would be "
        f"{with_unit(_number(found.level), unit)} instead of {now}: {moved}"
    ]
    if found.table["more"].notna().all():
        more = f"{math.ceil(abs(found.table['more'].sum())):,}"
        cases = apart.table.set_index("part").loc[list(changes), "denominator"].sum()
        among = f"of their {_number(cases):,.0f} cases" if rate_factor(unit) else "counted in them"
        said.append(f"It means {more} {'more' if found.effect >= 0 else 'fewer'} {among}")
    if found.closed is not None and found.closed > 0:
        target = with_unit(_number(apart.target), unit)
        said.append(
            f"The target of {target} would be reached" if found.closed >= 1 else
            f"That is {_number(found.closed):.0%} of the way that is left to the target of {target}"
        )  # fmt: skip
    if pd.notna(found.chance_before):
        said.append(
            f"On top of what is forecast for {definition['due']}, the chance of the target would "
            f"be {chance_text(found.chance_after)} instead of {chance_text(found.chance_before)}"
        )
    if apart.illustrative:
        said.append("The parts' figures are illustrative")
    return _sentence(". ".join(said) + ".")


def what_if_table(
    report: Report, measure: str, changes: Mapping[str, float | str], kind: str | None = None
) -> Html:
    """What each part that is set adds to the reading; the last row is all of them together."""
    found = what_if(report, measure, changes, kind)
    if found.reason:
        return _no_parts(measure, found.reason)
    apart, unit = found.decomposition, str(report.agreement.measures.at[measure, "unit"])
    rows = found.table
    area = report.agreement.settings.agreement.area
    frame = pd.DataFrame(
        {
            "Part": [*rows["part"].map(_part_name), area],
            "Now": [figure_text(_number(one), unit) for one in [*rows["now"], apart.level]],
            "Set to": [figure_text(_number(one), unit) for one in [*rows["then"], found.level]],
            "More counted": [
                difference_text(_number(one), "") for one in [*rows["more"], rows["more"].sum()]
            ],
            "Adds to the reading": [
                difference_text(_number(one), unit) for one in [*rows["effect"], found.effect]
            ],
        }
    )
    made_up = " (illustrative)" if apart.illustrative else ""
    caption = f"What if: {report.agreement.measures.at[measure, 'title']}, {apart.period}{made_up}"
    return table(frame, caption, numeric=list(frame.columns[1:]))


def effectiveness_words(report: Report) -> Html:
    """A few sentences on the index of cost-effectiveness, as the baskets give it."""
    made, made_from = report.effectiveness, report.agreement.settings.effectiveness
    if made_from is None or not made.years:
        return _no_index(report)
    return _sentence(effectiveness_sentences(made, report.agreement.measures.loc[made_from.index]))


def _no_index(report: Report) -> Html:
    if report.agreement.baskets.empty:
        return _sentence("The register has no baskets, so the index cannot be made from them.")
    return _sentence("The year that the index starts from has not ended.")


def effectiveness_table(report: Report) -> Html:
    """The indices of each component and of all together, year by year."""
    made = report.effectiveness
    if not made.years:
        return _no_index(report)
    first, *years = made.years
    share = made.components.loc[made.components["year"] == first, "share"].sum(min_count=1)
    together = made.overall.assign(component="All together", share=share)
    rows = pd.concat([made.components, together], ignore_index=True)
    by_year = rows.set_index(["component", "year"])
    components = list(dict.fromkeys(rows["component"]))
    frame = pd.DataFrame({"Component": components})
    frame["Share"] = [_percent(by_year.at[(one, first), "share"]) for one in components]
    for name, heading in (
        ("performance", "Performance"), ("cost", "Cost"), ("ratio", "Cost-effectiveness"),
    ):  # fmt: skip
        for year in years:
            figures = [figure_text(by_year.at[(one, year), name], "index") for one in components]
            frame[f"{heading} {year}"] = figures
    numeric = list(frame.columns[1:])
    lacking = rows[(rows["missing"] != "") & (rows["component"] != "All together")]
    if len(lacking):
        # Of all together nothing is lacking but what its components lack.
        said = lacking.groupby("component")["missing"].agg(lambda all_: "; ".join(all_.unique()))
        frame["What is lacking"] = frame["Component"].map(said).fillna("")
    caption = f"Indices of performance, cost and cost-effectiveness, {first} = 100"
    return table(frame, caption + _illustrative_mark(rows), numeric=numeric)


def budgets_table(report: Report) -> Html:
    """The net budgets behind the index of cost, as returned and in prices of the baseline year."""
    made, made_from = report.effectiveness, report.agreement.settings.effectiveness
    if made_from is None or not made.years:
        return _no_index(report)
    unit = report.agreement.measures.at[made_from.net_budget, "unit"]
    rows = made.components
    frame = pd.DataFrame(
        {
            "Component": rows["component"],
            "Year": rows["year"],
            "In the year's prices": [figure_text(value, unit) for value in rows["net_budget"]],
            f"In prices of {made.years[0]}": [
                figure_text(value, unit) for value in rows["real_budget"]
            ],
            "Index of cost": [figure_text(value, "index") for value in rows["cost"]],
        }
    )
    caption = f"Net budgets, {unit}{_illustrative_mark(rows)}"
    return table(frame, caption, numeric=list(frame.columns[2:]), folded=True)


def basket_contributions_table(report: Report, component: str | None = None) -> Html:
    """What each indicator added to the index of performance, in the newest year there is.

    Parameters
    ----------
    report : Report
        The period's report.
    component : str, optional
        One component of the baskets; all of them, folded, if not given.

    Raises
    ------
    KeyError
        If there is no such component.
    """
    made, baskets = report.effectiveness, report.agreement.baskets
    if len(baskets) and component is not None and component not in set(baskets["component"]):
        known = ", ".join(dict.fromkeys(baskets["component"]))
        raise KeyError(f"there is no component '{component}'; the baskets have {known}")
    if not made.years:
        return _no_index(report)
    rows = made.indicators[made.indicators["year"] == (made.latest or made.years[-1])]
    if component is not None:
        rows = rows[rows["component"] == component]
    rows = rows.reset_index(drop=True)
    units = rows["indicator"].map(report.agreement.measures["unit"])
    named = units.isin(["percent", "percent change", "index"])
    year = rows["year"].iloc[0]
    frame = pd.DataFrame(
        {
            "Indicator": rows["title"].where(named, rows["title"] + ", " + units),
            "Component": rows["component"],
            "Better": rows["polarity"],
            "Weight": [_percent(share) for share in rows["share"]],
            made.years[0]: [*map(figure_text, rows["baseline"], units)],
            year: [*map(figure_text, rows["figure"], units)],
            "Change counts": rows["change"].map(
                {"relative": "as per cent of the first", "points": "in percentage points"}
            ),
            "Points added": [signed(value, 2) for value in rows["contribution"]],
        }
    )
    note = rows["definition"].where(rows["definition"] != "", rows["missing"])
    weak = rows["flag"].isin(["provisional", "estimated"])
    note = note.where(~weak, note + " (" + rows["flag"] + ")").str.strip()
    if (note != "").any():
        frame["Note"] = note
    caption = f"Points that each indicator adds to the index of performance, {year}"
    if component is not None:
        frame = frame.drop(columns="Component")
        added = signed(rows["contribution"].sum(skipna=False), 2)
        frame.loc[len(rows), ["Indicator", "Points added"]] = "All indicators", added
        frame, caption = frame.fillna(""), f"{component}: {caption.lower()}"
    numeric = ["Weight", made.years[0], year, "Points added"]
    return table(
        frame, caption + _illustrative_mark(rows), numeric=numeric, folded=component is None
    )


def _illustrative_mark(rows: pd.DataFrame, what: str = "") -> str:
    """A mark for captions of tables in which something is made up."""
    return f" ({what}illustrative)" if rows["illustrative"].any() else ""


def _progress_mark(rows: pd.DataFrame) -> str:
    return _illustrative_mark(rows, "progress is ")


def _percent(share: float) -> str:
    return "–" if pd.isna(share) else f"{share:.1%}"


def control_words(report: Report, measure: str, rules: ControlRules = OUR_RULES) -> Html:
    """What the control chart of a measure shows, or why there is none."""
    return _sentence(control_sentences(control_of(report, measure, rules)))


def control_table(report: Report, measure: str, rules: ControlRules = OUR_RULES) -> Html:
    """The figures behind a control chart: each quarter with its mean, limits and sign."""
    control = control_of(report, measure, rules)
    points, unit = control.points, control.unit
    title = report.agreement.measures.at[measure, "title"]
    signs = {"outside": "beyond a limit", "run": "run", "trend": "trend",
             "two_in_three": "two in three"}  # fmt: skip
    frame = pd.DataFrame(
        {
            "Quarter": points["period"],
            "Figure": [figure_text(value, unit) for value in points["value"]],
            "Mean": [level_text(value, unit) for value in points["centre"]],
            "Lower limit": [level_text(value, unit) for value in points["lower"]],
            "Upper limit": [level_text(value, unit) for value in points["upper"]],
            "Limits": points["trial"].map({True: "trial", False: "full"}),
            "Kind": points["kind"],
            "Because of": [
                listed([name for rule, name in signs.items() if row[rule]]) or "–"
                for _, row in points.iterrows()
            ],
            "Flag": points["flag"],
        }
        if not control.reason
        else {}
    )
    numeric = ["Figure", "Mean", "Lower limit", "Upper limit"]
    return table(frame, f"{title}: control chart, quarter by quarter", numeric=numeric, folded=True)


def changes_table(report: Report) -> Html:
    """Measure by measure, what has changed since the quarter before, and why."""
    before = report_before(report)
    if before is None:
        return _sentence(_no_report_before(report))
    rows = changes(before, report)
    rows = rows[rows["measure"].isin(report.assessment["measure"]) & (rows["area"] == "")]
    made = []
    for measure, own in rows.groupby("measure", sort=False):
        by = own.set_index("what")
        moved = by.index.difference(["forecast", "chance", "grant at least", "grant at most"])
        if moved.empty and not _chance_moved(by):
            continue
        row = assessment_row(report, str(measure))
        cells: dict[str, object] = {"Measure": measure, "What is measured": row["title"]}
        now = {"state": row["state"], "reading": row["latest"], "chance": row["chance_target"]}
        for what, current in now.items():
            unit = str(row["unit"]) if what == "reading" else ""
            old = by.at[what, "before"] if what in by.index else current
            for when, value in (("before", old), ("now", current)):
                shown = None if pd.isna(value) else value
                cells[f"{what.capitalize()} {when}"] = change_text(shown, what, unit)
        cells["The reading is"] = by.at["reading", "direction"] if "reading" in by.index else ""
        cells["Why"] = own["why"].iloc[0]
        made.append(cells)
    # What changed state comes first, and stays in the register's order otherwise.
    made.sort(key=lambda cells: cells["State before"] == cells["State now"])
    frame = pd.DataFrame(made)
    numeric = ["Reading before", "Reading now", "Chance before", "Chance now"]
    return table(frame.replace("", "–"), f"What has changed since {before.period}", numeric=numeric)


def _chance_moved(by: pd.DataFrame) -> bool:
    if "chance" not in by.index:
        return False
    ends = by.at["chance", "before"], by.at["chance", "after"]
    return None in ends or abs(ends[1] - ends[0]) >= CHANCE_MOVED


def _no_report_before(report: Report) -> str:
    return (
        f"There is no report before {report.period} to compare with: the agreement began in "
        f"{report.agreement.settings.agreement.first_year}."
    )


def changes_words(report: Report) -> Html:
    """What has changed since the quarter before, in a few sentences."""
    before = report_before(report)
    if before is None:
        return _sentence(_no_report_before(report))
    rows = changes(before, report)
    ours = rows[rows["area"].isin(["", report.agreement.settings.agreement.area])]
    states = ours[ours["what"] == "state"]
    said = []
    if len(states):
        moves = [
            f"{row.measure} is {row.after} (before: {row.before})" for row in states.itertuples()
        ]
        have = "has" if len(states) == 1 else "have"
        said.append(f"{counted(len(states), 'measure')} {have} changed state: {listed(moves)}")
    else:
        said.append("No measure has changed state")
    new = ours[(ours["what"] == "reading") & (ours["period_before"] != ours["period_after"])]
    if len(new):
        ways = new["direction"].value_counts()
        parts = [f"{ways[way]} {way}" for way in ("better", "worse") if way in ways]
        if "same" in ways:
            parts.append(f"{ways['same']} the same")
        than = f", {listed(parts)} than the reading before" if parts else ""
        said.append(f"{counted(len(new), 'new reading')} came in{than}")
    revised = ours[(ours["what"] == "figure") & ours["before"].notna() & ours["after"].notna()]
    if len(revised):
        were = "was" if len(revised) == 1 else "were"
        said.append(f"{counted(len(revised), 'earlier figure')} {were} revised")
    if not len(new) and not len(revised):
        said.append("No figure came in and none was revised")
    pots = [
        [(one["pot_share"] * one[end]).sum() for end in ("least", "most")]
        for one in (grants(before), grants(report))
    ]
    was, now = (range_text(*pot) for pot in pots)
    if was != now:
        said.append(f"The reward is expected to come to {now} of the pot, and was {was}")
    else:
        said.append(f"The reward is still expected to come to {now} of the pot")
    return _sentence(f"Since {before.period}: " + ". ".join(said) + ".")


def outturn_words(found: Outturn) -> Html:
    """What would be said of a measure, were its deciding reading better or worse by so much."""
    unit = found.unit
    points = "percentage points" if unit in ("percent", "percent change") else unit
    if found.step:
        moved = (
            f"If the reading of {found.due} were {_amount(found.by, points)} "
            f"{'better' if found.step > 0 else 'worse'} than forecast, around "
            f"{with_unit(found.middle, unit)}"
        )
        now, was = chance_text(found.chance), chance_text(found.chance_before)
        said = f"{moved}, the chance of the target would be {now} instead of {was}"
    else:
        said = (
            f"The reading of {found.due} is forecast around {with_unit(found.middle, unit)}, and "
            f"the chance of the target is {chance_text(found.chance)}"
        )
    if pd.notna(found.least):
        then, before = (
            pot_text(*ends)
            for ends in ((found.least, found.most), (found.least_before, found.most_before))
        )
        instead = f" instead of {before}" if found.step else ""
        said += f". The expected reward would be {then} of the pot{instead}"
        if not found.step:
            said = said.replace("would be", "is")
    return _sentence(f"{found.title}: {said[:1].lower()}{said[1:]}.")


def _amount(size: float, unit: str) -> str:
    text = figure_text(size, unit).removesuffix(".0")
    named = "points" if unit == "index" else unit
    return f"{text} {of_one(named) if text == '1' else named}"


def outturn_table(report: Report, theme: str | None = None) -> Html:
    """What better deciding readings would do to the chance and the reward of each measure.

    Parameters
    ----------
    report : Report
        The period's report.
    theme : str, optional
        A theme of ``agreement.toml``; all of them if not given.

    Raises
    ------
    KeyError
        If there is no such theme.
    """
    words = {0.0: "as forecast", 0.1: "a tenth better", 0.25: "a quarter better",
             0.5: "half better"}  # fmt: skip
    made: list[dict[str, str]] = []
    for measure in of_theme(report, theme)["measure"]:
        way = better_by(report, measure)
        if way is None:
            continue
        found = [outturn(report, measure, step) for step in STEPS]
        made.append(
            {"Measure": measure, "What is measured": found[0].title}
            | {"A tenth of the way": _amount(way / 10, _points(found[0].unit))}
            | {f"Chance, {words[one.step]}": chance_text(one.chance) for one in found}
            | {
                f"Reward, {words[one.step]}": pot_text(one.least, one.most)
                if pd.notna(one.least)
                else "–"
                for one in found
            }
        )
    caption = (
        "What if the deciding readings were better by a part of the way to the target: the chance "
        f"of the target, and the expected share of the pot, {report.period}"
    )
    if not made:
        return _sentence(
            "No deciding reading of these measures is forecast from a start that is stated, so "
            "there is nothing to move."
        )
    frame = pd.DataFrame(made)
    return table(frame, caption, numeric=list(frame.columns[2:]))
