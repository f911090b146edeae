"""What every page says first, and what its marks mean."""

from __future__ import annotations

import pandas as pd

from psa_analysis.analysis.assessment import STATES
from psa_analysis.analysis.disclosure import EARLIER
from psa_analysis.report import Report, of_theme
from psa_analysis.show.tables import Html, table, templates
from psa_analysis.words import are, counted, day_text


def banner(report: Report) -> Html:
    """What every page says first: whose report, of when, for whom, and what is not real in it."""
    day, audience = day_text(report.cut_off), report.audience.capitalize()
    line = f"{report.period}, from figures received by {day}. {audience} report."
    warnings = []
    if of_theme(report, report.theme)["illustrative"].any():
        warnings.append(
            "Illustrative: the outturns on this page are made up. "
            "Baselines and targets are real unless marked."
        )
    if report.audience == "public":
        warnings.append(_withheld_words(report))
    notes = report.agreement.notes
    about = " ".join(notes.loc[notes["about"] == report.theme, "text"])
    template = templates().get_template("banner.html.j2")
    html = template.render(line=line, warnings=warnings, about=about)
    return Html(html, "\n".join(filter(None, [line, *warnings, about])))


def _withheld_words(report: Report) -> str:
    """What a public page says of the figures that it does not show."""
    withheld = report.withheld
    if report.theme:
        withheld = withheld[withheld["measure"].isin(of_theme(report, report.theme)["measure"])]
    if withheld.empty:
        return "Small numbers are not shown on public pages."
    cells = withheld[withheld["reason"] != EARLIER].drop_duplicates(["measure", "area", "period"])
    held_back = f"{counted(len(cells), 'figure')} {are(len(cells))} held back"
    return f"Small numbers are not shown: {held_back}, and what is made from them, marked [c]."


def key(report: Report) -> Html:
    """What the marks and states mean, with the thresholds that divide them."""
    states = report.agreement.settings.states
    meanings = dict(STATES)
    if "none" not in set(report.assessment["rule"]):
        del meanings["not judged"]
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
        "[a]": "assumed: no document says it; the notes give the reason",
        "[d]": "derived from other figures: the notes say how",
        "(forecast)": "what is likely, not what has happened: the deciding reading is not final",
        "(supporting)": "followed beside a target; does not count for the grant",
        "–": "there is none",
    }
    if report.assessment["by_tolerance"].any():
        marks["tolerance"] = "how far the latest reading may be short of planned path or target"
    if report.audience == "public":
        marks["[c]"] = "not shown: small numbers, or figures that would give them away"
    frame = pd.DataFrame([*meanings.items(), *marks.items()], columns=["State or mark", "Meaning"])
    return table(frame, "States and marks", folded=True)
