"""Pages: the tables, banners and notes that notebooks show, and the front of the pack.

Everything is plain accessible HTML with a text twin, so that it reads the same in JupyterLab,
in the exported page, through a screen reader and to nbval.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
import pandas as pd

from psa_analysis.assessment import STATES
from psa_analysis.changes import changes, report_before
from psa_analysis.explain import explain
from psa_analysis.findings import shorten
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
from psa_analysis.partners import due
from psa_analysis.performance import same_stage
from psa_analysis.periods import parse_period
from psa_analysis.pipeline import Report, assessment_row, day_text, readings_with_path
from psa_analysis.quality import (
    corrections_applied,
    definition_breaks,
    findings_by_partner,
    returns_received,
    revisions,
)
from psa_analysis.register import NOT_STATED
from psa_analysis.words import (
    STATE_SIGNS,
    chance_text,
    change_text,
    counted,
    figure_text,
    listed,
    pounds_text,
    range_text,
    reliability_words,
    sentences,
    visible,
    with_unit,
)

TEMPLATES = Path(__file__).parent / "templates"


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
        warnings.append("Draft: small numbers have not been checked for disclosure.")
    html = templates().get_template("banner.html.j2").render(lines=lines, warnings=warnings)
    return Html(html, "\n".join([*lines, *warnings]))


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
            "What is measured": rows["title"]
            + rows["role"].map({"supporting": " (supporting)"}).fillna(""),
            "Baseline": _figures(rows, "baseline", units),
            "Latest": _latest(rows),
            "Of period": rows["latest_period"],
            "Planned by then": [*map(figure_text, rows["planned"], units)],
            "Target": _figures(rows, "target", units),
            "Due": rows["due"],
            "Chance of the target": [*map(chance_text, rows["chance_target"])],
            "State": [
                state + (" (forecast)" if forecast and state in STATE_SIGNS else "")
                for state, forecast in zip(rows["state"], rows["is_forecast"], strict=True)
            ],
            "Since last reading": rows["direction"],
            "On the year": rows["direction_on_year"],
        }
    )
    where = "the agreement" if theme is None else report.agreement.settings.themes[theme]
    return table(
        frame, f"Every measure of {where}, {report.period}",
        numeric=["Baseline", "Latest", "Planned by then", "Target", "Chance of the target"],
    )  # fmt: skip


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
        figure_text(value, unit) + (marks.get(flag, "") if isinstance(flag, str) else "")
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
        "[p] [r] [e]": "provisional, revised, estimated",
        "[a] [d]": "assumed, derived from other figures: the note below the table says how",
        "–": "there is none",
    }
    frame = pd.DataFrame([*meanings.items(), *marks.items()], columns=["State or mark", "Meaning"])
    return table(frame, "States and marks", folded=True)


def measure_words(report: Report, measure: str) -> Html:
    """A few sentences on one measure, written from its numbers."""
    said = sentences(assessment_row(report, measure))
    return _sentence(said + _stage_words(report, measure))


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
            "Observed in the period": [f"{value:,.10g}" for value in data["observed"]],
            "Flag": data["flag"],
        }
    )
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


def context_table(report: Report, reference: str) -> Html:
    """Published figures of other places that bear on a target, as known at the cut-off."""
    measures = report.agreement.measures
    context = measures[(measures["reference"] == reference) & (measures["role"] == "context")]
    rows = report.readings[report.readings["measure"].isin(context.index)]
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
    shown = of_theme(report, theme)["measure"]
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


#: From so much on, a chance that moved alone is worth a board's time: smaller moves come with every
#: simulation and with the figures of other measures.
_CHANCE_MOVED = 0.05


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
    return None in ends or abs(ends[1] - ends[0]) >= _CHANCE_MOVED


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
