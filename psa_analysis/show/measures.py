"""One measure: what its numbers say, what people say, what else it has, and where it comes from."""

from collections.abc import Iterator

import pandas as pd

from psa_analysis import words
from psa_analysis.analysis.assessment import WITHHELD
from psa_analysis.analysis.backtest import reference
from psa_analysis.analysis.readings import observations_used
from psa_analysis.files import meanings
from psa_analysis.findings import ParameterError
from psa_analysis.periods import parse_period
from psa_analysis.register.agreement import FIGURES, RULES_WITH_PATH
from psa_analysis.register.loading import WHOLE, entries
from psa_analysis.report import Report, assessment_row, readings_with_path
from psa_analysis.show.control import control_chart
from psa_analysis.show.effectiveness import cost_effectiveness
from psa_analysis.show.families import family, family_of, funnel
from psa_analysis.show.grant import grants
from psa_analysis.show.parts import by_part, hotspots
from psa_analysis.show.record import record_view
from psa_analysis.show.tables import Html, render, sentence, state_cell, table
from psa_analysis.show.trajectories import CONTEXT_YEARS, context, trajectory_chart
from psa_analysis.show.views import View


def measure(report: Report, name: str) -> View:
    """One measure: where it stands, its readings beside the planned path and the forecast."""
    row = assessment_row(report, name)
    nothing = pd.isna(row["target"]) and pd.isna(row["latest"]) and row["latest_flag"] != WITHHELD
    return View(
        heading=f"{row['title']} ({name})",
        anchor=name,
        words=lambda: measure_words(report, name),
        chart=None if nothing else lambda: trajectory_chart(report, name),
        origin=lambda: _origin(report, name),
        data=readings_with_path(report, name),
    )


def _origin(report: Report, measure: str) -> Html:
    """What is known of a measure, and the chain from its latest figure back to cells of returns."""
    rows = [*facts(report, measure).items()]
    if report.audience == "internal":
        # The words above state these, or the chart shows them.
        stated = ("Measure", "State", "Latest", "Path")
        rows += [row for row in explanation(report, measure) if row[0] not in stated]
    frame = pd.DataFrame(rows, columns=["About", "What is known"])
    return table(frame, f"{measure}: facts and sources", folded=True)


def measure_words(report: Report, measure: str) -> Html:
    """Where a measure stands, what has changed, and what people say of it."""
    row = assessment_row(report, measure)
    before = None if report.before is None else assessment_row(report.before, measure)
    texts = [*standing_sentences(row), *change_sentences(row, before)]
    if row[["forecast", "latest", "year_before"]].notna().all():
        texts += [flattening_text(row, report.outlooks[measure].due)]
    about = sentence(words.as_sentences([*filter(None, texts)]))
    comments = commentary(report, measure)
    return Html(about.html + comments.html, "\n".join(filter(None, [about.text, comments.text])))


def commentary(report: Report, about: str = WHOLE) -> Html:
    """What people wrote about a measure, or the whole agreement, for this report; often nothing."""
    if about != WHOLE:
        assessment_row(report, about)
    shown = []
    rows = entries(report.commentary, about, report.period.label, report.audience)
    for row in rows.itertuples():
        kind = "Illustrative commentary" if row.illustrative else "Commentary"
        by = f"{kind} by {row.author}, written on {words.day_text(row.written)}"
        if row.written.date() > report.cut_off:
            by += ", after the figures of this report were closed"
        shown.append(([part.strip() for part in row.text.splitlines() if part.strip()], by))
    text = "\n".join(f"{by}: {' '.join(paragraphs)}" for paragraphs, by in shown)
    return Html(render("commentary", entries=shown), text)


def facts(report: Report, measure: str) -> pd.Series:
    """What is known of a measure beside its readings: a text for each label."""
    row, definition = assessment_row(report, measure), report.agreement.measures.loc[measure]
    notes = report.agreement.notes
    found = {}
    if pd.notna(row["forecast"]):
        low, high = words.figure_text(row["low_80"], row), words.figure_text(row["high_80"], row)
        middle = words.figure_text(row["forecast"], row)
        found["Forecast"] = f"{middle} for {row['due']}; eight in ten chances: {low} to {high}"
    if row["is_forecast"] and pd.notna(row["required"]) and row["required"]:
        found["Needed from here"] = words.required_text(row)
    if pd.notna(row["year_before"]):
        found["A year before"] = words.with_unit(row["year_before"], row)
    if row["rule"] != "level":
        found["Judged by"] = row["judged_by"]
    found["Reward"] = _reward(report, row)
    if definition["definition"] != words.NOT_STATED:
        found["What is counted"] = definition["definition"]
    found["Better is"] = "" if row["polarity"] == words.NOT_STATED else row["polarity"]
    found["Note"] = " ".join(notes.loc[notes["about"] == measure, "text"])
    hidden = row["latest_flag"] == WITHHELD
    if row["missing"] and not (row["late"] or hidden) and row["missing"] not in row["reason"]:
        found["Newest period"] = f"no reading: {row['missing']}"
    return pd.Series({label: text for label, text in found.items() if text})


def standing_sentences(row: pd.Series) -> list[str]:
    """The state with its chance or its reason, and the latest reading beside the planned path."""
    why = row["reason"]
    if row["is_forecast"] and pd.notna(row["chance_target"]):
        target = f"{words.target_text(row)} by {row['due']}"
        why = f"the chance of reaching {target} is {words.chance_text(row['chance_target'])}"
    texts = [f"{row['state']}: {why}"]
    if pd.notna(row["latest"]):
        flag = "" if row["latest_flag"] in ("final", "revised") else f" ({row['latest_flag']})"
        latest = f"{words.with_unit(row['latest'], row)} for {row['latest_period']}{flag}"
        beside = f", {_beside_path(row)}" if row["is_forecast"] and pd.notna(row["planned"]) else ""
        texts.append(f"the latest reading is {latest}{beside}")
    texts += filter(None, [words.tolerance_text(row)])
    if row["late"]:
        texts.append(f"the return for {row['expected_period']} is late")
    return texts


def change_sentences(row: pd.Series, before: pd.Series | None) -> list[str]:
    """What is new since the report of the quarter before; nothing if that is not worth reading."""
    if before is None:
        return []
    changes = []
    if len({row["state"], before["state"]} - {"not shown"}) == 2:
        changes.append(f"it has gone from {before['state']} to {row['state']}")
    now, then = row["chance_target"], before["chance_target"]
    if pd.notna(now) and pd.notna(then) and abs(now - then) >= words.CHANCE_MOVED:
        ends = f"from {words.chance_text(then)} to {words.chance_text(now)}"
        changes.append(f"the chance has {'risen' if now > then else 'fallen'} {ends}")
    latest, earlier = (words.figure_text(each["latest"], each) for each in (row, before))
    if pd.notna(row["latest"]) and row["latest_period"] != before["latest_period"]:
        new = f"the new reading is {row['direction']}".replace("is same", "is the same")
        changes.append("a first reading has come in" if pd.isna(row["direction"]) else new)
    elif pd.notna(row["latest"]) and latest != earlier:
        period = row["latest_period"]
        changes.append(f"the reading of {period} was revised from {earlier} to {latest}")
    return [f"since {before['period']} {words.listed(changes)}"] if changes else []


def _beside_path(row: pd.Series) -> str:
    """``about 6 months behind the planned path of −11.7%``."""
    planned = words.figure_text(row["planned"], row)
    if planned == words.figure_text(row["latest"], row):
        return "on the planned path"
    better = (row["gap"] > 0) == (row["polarity"] == "higher")
    months = 0 if pd.isna(row["gap_months"]) else round(abs(row["gap_months"]))
    # On a path with seasons months and figures may point different ways: the figure is what counts.
    agree = months and (row["gap_months"] > 0) == better
    distance = f"about {words.counted(months, 'month')} " if agree else ""
    return f"{distance}{'ahead of' if better else 'behind'} the planned path of {planned}"


def flattening_text(row: pd.Series, due: pd.Series) -> str:
    """Why a forecast keeps less than half of the last year's change, where readers expect more."""
    change, last = row["latest"] - row["year_before"], parse_period(row["latest_period"])
    years = (due["period_end"].date() - last.end).days / 365.25
    continued, product = row["latest"] + change * years, (due["median"] - row["latest"]) * change
    # They do where that change, gone on with, does not lead into the middle half of the chances.
    expected = due["low_50"] <= continued <= due["high_50"] or product >= change**2 * years / 2
    if pd.isna(change) or expected or years <= 0:
        return ""
    would, kept = words.figure_text(continued, row), reference("trends")["kept"].mean()
    return f"last year's pace would give {would}, but {kept:.0%} of such changes came again"


def _reward(report: Report, row: pd.Series) -> str:
    """What part of the pot a measure earns, or may earn."""
    if row["measure"] not in (rewards := grants(report).set_index("measure")).index:
        return "does not count for it"
    reward = rewards.loc[row["measure"]]
    stake = words.range_text(reward["pot_share"], reward["pot_share"], 1)
    least, most = reward["pot_share"] * reward[["least", "most"]]
    part = words.range_text(least, most, 1)
    pounds = words.pounds_text(reward["pounds_least"], reward["pounds_most"])
    money = "" if pd.isna(reward["pounds_least"]) else f" ({pounds})"
    open_ = row["without_status"] in (words.NOT_STATED, "assumed")
    uncertain = f"; performance without the agreement is {row['without_status']}" if open_ else ""
    if pd.notna(reward["outturn"]):
        provisional = ", by a provisional outturn" if reward["status"] == "provisional" else ""
        return f"earns {part} of the pot{money} of at most {stake}{provisional}{uncertain}"
    if reward["status"] != "forecast":
        return f"{stake} of the pot at stake; how much of it to expect is not known"
    return f"{stake} of the pot at stake, {part} expected{money}{uncertain}"


def further(report: Report, measure: str) -> list[View]:
    """The views that a measure has: record, control chart, parts, families; none that is empty."""
    views = [
        (record_view(report, measure), "Earlier forecasts"),
        (control_chart(report, measure), "Control chart"),
        (by_part(report, measure), "Parts"),
        (hotspots(report, measure), "Parts beyond chance"),
        *_families(report, measure),
    ]
    if (section := report.agreement.settings.effectiveness) and section.index == measure:
        views.append((cost_effectiveness(report), "What the index is made of"))
    reference = report.agreement.measures.at[measure, "reference"]
    of_target = [row for row in report.measures() if report.rows[row]["reference"] == reference]
    if of_target[-1:] == [measure]:
        views.append((context(report, reference), "Published figures"))
    return [view.under(heading) for view, heading in views if not view.reason]


def _families(report: Report, measure: str) -> Iterator[tuple[View, str]]:
    """Where the area stands in each family whose figures are real and of the last years."""
    measures = report.agreement.measures
    same_target = measures["reference"] == measures.at[measure, "reference"]
    followed = measures.index[same_target & (measures["role"] == "context")]
    begin = pd.Timestamp(report.period.end) - pd.DateOffset(years=CONTEXT_YEARS)
    for family_name in report.agreement.families["family"].unique():
        for name in (measure, *followed):
            standings = family_of(report, name, family_name).standings
            if standings.empty or standings["illustrative"].iloc[-1]:
                continue
            if standings["period_end"].iloc[-1] > begin:
                title = f"Among the {family_name}: {measures.at[name, 'title']}"
                yield family(report, name, family_name), title
                yield funnel(report, name, family_name), "What chance allows"


def cells_used(report: Report, measure: str) -> pd.DataFrame:
    """The cells behind the latest reading of one measure, with the text of each.

    ``part`` says what a cell went into: the reading, its base, or its comparator.
    """
    row, agreement = assessment_row(report, measure), report.agreement
    if report.audience == "public":
        raise ParameterError("cells of returns are for internal reports: open one of that audience")
    period = "" if pd.isna(row["latest"]) else row["latest_period"]
    key = measure, agreement.settings.agreement.area, period
    used = observations_used(report.known, report.readings, agreement, key)
    addresses = used["column"].astype(str) + used["row"].astype(str)
    columns = ["part", "measure", "area", "period", "value", "flag", "received", "correction"]
    return used[[*columns, "file", "sheet", "text"]].assign(cell=addresses).reset_index(drop=True)


def explanation(report: Report, measure: str) -> Iterator[tuple[str, str]]:
    """The chain behind one measure's latest figure, a label and a text at a time, to its cells."""
    row = assessment_row(report, measure)
    day = words.day_text(report.cut_off)
    yield "Measure", f"{measure}: {row['title']}, {report.period}, figures received by {day}"
    yield "State", f"{state_cell(row).capitalize()}: {row['reason']}"
    for last in readings_with_path(report, measure).tail(1).itertuples():
        latest = f"{words.with_unit(last.reading, row)} for {last.period}"
        yield "Latest", f"{latest} ({last.flag}), made by the basis {row['basis']}"
        if last.note:
            yield "Remark", last.note
        low, high = (words.figure_text(limit, row) for limit in (last.lower, last.upper))
        chance = f"{low} to {high}, 95 in 100 times ({last.interval})"
        yield "Chance", last.interval if pd.isna(last.lower) else chance
    yield from _register_lines(report, row)
    cells = cells_used(report, measure)
    parts = {"base": "Base from", "reading": "Made from", "comparator": "Compared"}
    for part, label in parts.items():
        for cell in cells[cells["part"] == part].itertuples():
            # Other areas and measures stand in the same table, so those say which they are.
            other = f"{cell.measure}, {cell.area}, " if part == "comparator" else ""
            figure = f"{cell.value:,.10g} ({cell.flag}), received {cell.received:%Y-%m-%d}"
            place = f"{cell.file}, sheet {cell.sheet}" if cell.sheet else cell.file
            corrected = f"; corrected: {cell.correction}" if cell.correction else ""
            place = f"{place}, cell {cell.cell}: {cell.text!r}{corrected}"
            yield label, f"{other}{cell.period}: {figure}, {place}"
    sources = report.sources[report.sources["file"].isin(cells["file"])]
    for source in sources.sort_values("file").itertuples():
        yield "Source", f"{source.file}: {source.title}; {source.producer}"


def _register_lines(report: Report, row: pd.Series) -> Iterator[tuple[str, str]]:
    """Each figure of the register with its status, and why if no document states it."""
    definition = report.agreement.measures.loc[row["measure"]]
    yield "Documents", f"{definition['document']}: {definition['location']}"
    assumptions = report.agreement.assumptions
    own = assumptions[assumptions["item"] == row["measure"]]
    reasons = own.set_index("column")["reason"].to_dict()
    for figure in FIGURES:
        if status := definition[f"{figure}_status"]:
            # The base is a level, whose change is the reading.
            value = words.figure_text(definition[figure], "" if figure == "base" else row)
            text = words.NOT_STATED if status == words.NOT_STATED else f"{value} ({status})"
            why = reasons.get(figure)
            yield figure.capitalize(), f"{text}: {why}" if why else text
    if pd.notna(definition["target_to"]):
        yield "Up to", words.figure_text(definition["target_to"], row)
    if definition["rule"] in RULES_WITH_PATH and definition[["baseline", "target"]].notna().all():
        points = definition["points"]
        levels = [f"{words.figure_text(v, row)} by {words.day_text(day)}" for day, v in points]
        runs = meanings("profiles")[definition["profile"] or "linear"]
        yield "Path", "; ".join([runs, *levels])
    if definition["comparator"]:
        yield "Comparator", definition["comparator"]
    for column in ("basis", "comparator", "definition", "baseline_period", "due"):
        if why := reasons.get(column):
            yield "Assumed", f"{column.replace('_', ' ')}: {why}"
    if row["missing"]:
        yield "Missing", row["missing"]
