"""Links: which targets the agreement joins."""

from __future__ import annotations

import numpy as np
import pandas as pd

from psa_analysis.findings import shorten
from psa_analysis.register.agreement import linked
from psa_analysis.report import Report
from psa_analysis.show.chart import BLUE, TEAL, Chart, as_svg, new_figure
from psa_analysis.show.tables import Html, table
from psa_analysis.words import counted, listed


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
        }
    )
    return table(frame, "Which targets the agreement links", folded=True)


def links_chart(report: Report) -> Chart:
    """The agreement's links: targets by theme in a column, an arc for each link."""
    agreement = report.agreement
    targets, topics = agreement.targets, agreement.settings.topics
    order = {str(name): float(place) for place, name in enumerate(targets.index)}
    pairs = dict.fromkeys(
        frozenset(pair) for _, link in agreement.links.iterrows() for pair in linked(link, topics)
    )
    ends = [sorted(pair, key=lambda name: order[name]) for pair in pairs]
    data = pd.DataFrame(ends, columns=["target", "linked_to"])
    with new_figure(8, 0.5 + 0.36 * len(order)) as (figure, axes):
        figure.subplots_adjust(left=0.02, right=0.98, top=0.98, bottom=0.02)
        theme, shift = "", 0.0
        for name, row in targets.iterrows():
            place = order[str(name)] + shift
            if row["theme"] != theme:
                theme, shift, place = row["theme"], shift + 0.9, place + 0.9
                heading = agreement.settings.themes[theme]
                axes.text(-0.62, place - 0.9, heading, va="center", ha="left", fontweight="bold")
            order[str(name)] = place
            axes.text(-0.6, place, f"{name}  {shorten(row['outcome'], 62)}", va="center", ha="left")
            axes.plot([0.52], [place], "o", color=BLUE, markersize=7)
        deepest = max((abs(order[a] - order[b]) for a, b in ends), default=1)
        for first, second in ends:
            half = np.linspace(-np.pi / 2, np.pi / 2, 40)
            middle = (order[first] + order[second]) / 2
            radius = abs(order[first] - order[second]) / 2
            # Longer links reach further out, so that arcs do not cover one another.
            out = 0.52 + 0.45 * (2 * radius / deepest) * np.cos(half)
            axes.plot(out, middle + radius * np.sin(half), color=TEAL, linewidth=2)
        axes.set(xlim=(-0.65, 1), ylim=(max(order.values(), default=0) + 0.6, -0.8))
        axes.axis("off")
        svg = as_svg(figure)
    joined = "; ".join(f"{first} and {second}" for first, second in ends)
    alt = (
        f"Diagram of the targets by theme with an arc for each of {counted(len(ends), 'link')}: "
        f"{joined or 'none'}."
    )
    return Chart(svg, alt, data, data.set_axis(["Target", "Linked to"], axis=1))
