"""What every page says first, what its marks mean, and what the agreement itself says."""

import pandas as pd

from psa_analysis.analysis.assessment import STATES
from psa_analysis.analysis.disclosure import EARLIER
from psa_analysis.files import meanings
from psa_analysis.report import Report, of_theme
from psa_analysis.show.tables import Column, Html, render, rows_table, table
from psa_analysis.words import are, counted, day_text, listed


def banner(report: Report) -> Html:
    """What every page says first: whose report, of when, for whom, and what is not real in it."""
    day, audience = day_text(report.cut_off), report.audience.capitalize()
    line = f"{report.period}, from figures received by {day}. {audience} report."
    warnings = []
    if of_theme(report, report.theme)["illustrative"].any():
        real = "Baselines and targets are real unless marked."
        warnings.append(f"Illustrative: the outturns on this page are made up. {real}")
    if report.audience == "public":
        withheld = report.withheld
        if report.theme:
            withheld = withheld[withheld["measure"].isin(report.measures())]
        withheld = withheld[withheld["reason"] != EARLIER]
        cells = len(withheld.drop_duplicates(["measure", "area", "period"]))
        held_back = f"{counted(cells, 'figure')} {are(cells)} held back, and what is made from them"
        told = f": {held_back}, marked [c]." if cells else " on public pages."
        warnings.append(f"Small numbers are not shown{told}")
    notes = report.agreement.notes
    about = " ".join(notes.loc[notes["about"] == report.theme, "text"])
    html = render("banner", line=line, warnings=warnings, about=about)
    return Html(html, "\n".join(filter(None, [line, *warnings, about])))


def key(report: Report) -> Html:
    """What the marks and states mean, with the thresholds that divide them."""
    states = report.agreement.settings.states
    texts = dict(STATES)
    texts["on track"] += f": the chance is {states.on_track:.0%} or more"
    texts["at risk"] += f": the chance is {states.at_risk:.0%} or more, but less than on track"
    texts["off track"] += f": the chance is less than {states.at_risk:.0%}"
    texts["without a forecast"] = (
        f"where there are too few readings: on track from {states.path_on_track:.0%} of the "
        f"improvement planned by then, at risk from {states.path_at_risk:.0%}"
    )
    rows = [*texts.items(), *meanings("marks").items()]
    frame = pd.DataFrame(rows, columns=["State or mark", "Meaning"])
    is_used = {
        **dict.fromkeys(("[c]", "not shown"), report.audience == "public"),
        "not judged": (report.assessment["rule"] == "none").any(),
        "tolerance": report.assessment["by_tolerance"].any(),
    }
    used = frame["State or mark"].map(is_used).fillna(True).astype(bool)
    return table(frame[used], "States and marks", folded=True)


def targets(report: Report, theme: str | None = None) -> Html:
    """What each target is about, who is in it, and which targets it is linked to."""
    rows = report.agreement.targets
    if theme is not None:
        of_theme(report, theme)
        rows = rows[rows["theme"] == theme]
    links = report.agreement.links.groupby("reference")["linked_to"].agg(list)
    columns = [
        Column("Reference"),
        Column("Outcome"),
        Column("How", "description"),
        Column("Partners", lambda row: "; ".join(row["partners"])),
        Column("Linked to", lambda row: listed(links.get(row["reference"], []))),
    ]
    caption = "The targets, their partners and their links"
    return rows_table(rows.reset_index(names="reference"), columns, caption, folded=True)


def notes(report: Report, theme: str | None = None) -> Html:
    """Every assumed or derived figure behind the measures shown, with its reason."""
    measures = report.agreement.measures
    shown = measures.index[measures["reference"].isin(of_theme(report, theme)["reference"])]
    rows = report.agreement.assumptions
    columns = [
        Column("Measure", "item"),
        Column("What", lambda row: row["column"].replace("_", " ")),
        Column("Status"),
        Column("How and why", "reason"),
        Column("Quality"),
        Column("Impact"),
    ]
    rows = rows[rows["item"].isin({*shown, "agreement", "measures"})]
    return rows_table(rows, columns, "What is assumed or derived", folded=True)
