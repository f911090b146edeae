"""The reward grant: what is likely, when it is paid, and what a better outturn would bring."""

from __future__ import annotations

import numpy as np
import pandas as pd

from psa_analysis.analysis.grant import (
    WholeGrant,
    by_partner,
    gain_curve,
    gains,
    grants,
    payments,
    pot,
    pump_priming,
    whole_grant,
)
from psa_analysis.report import Report
from psa_analysis.show.chart import BLUE, GREY, TEAL, Chart, as_svg, new_figure
from psa_analysis.show.tables import Html, sentence, table
from psa_analysis.words import (
    amount_text,
    chance_text,
    counted,
    listed,
    pounds_text,
    range_text,
    signed,
    unit_of_difference,
)


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
    return sentence(". ".join(said) + ".")


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


def gains_table(report: Report) -> Html:
    """Where a better outturn would bring most."""
    rows = gains(report)
    steps = zip(rows["step"], rows["unit"], strict=True)
    frame = pd.DataFrame(
        {
            "Measure": rows["measure"],
            "What is measured": rows["title"],
            "A tenth of the way is": [
                amount_text(step, unit_of_difference(unit)) for step, unit in steps
            ],
            "It adds, of the pot": _ranges(rows, "least", "most"),
            "One unit adds": _ranges(rows, "unit_least", "unit_most"),
        }
    )
    caption = "What a due reading that is better by a tenth of the way to the target would bring"
    return table(frame, caption, numeric=list(frame.columns[3:]))


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


def grant_chart(report: Report) -> Chart:
    """How likely at least each share of the pot is, at the least and at the most."""
    made = whole_grant(report)
    shares = np.arange(101) / 100
    chances = [made.chance(float(share)) for share in shares]
    data = pd.DataFrame(chances, columns=["least", "most"]).assign(share=shares)
    data = data[["share", "least", "most"]]
    with new_figure(8, 3.6) as (figure, axes):
        figure.subplots_adjust(left=0.09, right=0.97, top=0.88, bottom=0.16)
        axes.fill_between(
            100 * shares,
            100 * data["least"],
            100 * data["most"],
            color=BLUE,
            alpha=0.2,
            linewidth=0,
        )
        axes.plot(100 * shares, 100 * data["least"], color=BLUE, label="at the least")
        if not np.allclose(data["least"], data["most"]):
            axes.plot(
                100 * shares,
                100 * data["most"],
                color=BLUE,
                linestyle=(0, (5, 3)),
                label="at the most",
            )
            axes.legend(loc="upper right")
        axes.set(xlim=(0, 100), ylim=(0, 102), xlabel="At least so much of the pot")
        axes.set_title("Chance", loc="left", fontsize=12)
        axes.grid(axis="x")
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(lambda value, _: f"{value:.0f}%")
        svg = as_svg(figure)
    low, high = made.expected()
    said = "; ".join(
        f"at least {row.share:.0%}: {_range_of_chances(row.least, row.most)}"
        for row in data.iloc[10:100:20].itertuples()
    )
    alt = (
        "Line chart of the chance that the reward comes to at least each share of the pot. "
        f"Expected: {range_text(low, high)} of the pot. {said}."
    )
    if pot(report.agreement.settings) is None:
        alt += " The pot is not stated in pounds."
    tenths = data.iloc[::10]
    shown = pd.DataFrame(
        {
            "At least so much of the pot": tenths["share"].map("{:.0%}".format),
            "Chance at the least": tenths["least"].map(chance_text),
            "Chance at the most": tenths["most"].map(chance_text),
        }
    )
    return Chart(svg, alt, data, shown)


def _range_of_chances(low: float, high: float) -> str:
    one, other = chance_text(low), chance_text(high)
    return one if one == other else f"{one} to {other}"


def gains_chart(report: Report, most: int = 6) -> Chart:
    """How the expected reward of single measures grows with a better outturn: with its cliff."""
    names = gains(report)["measure"].head(most).tolist()
    steps = tuple(number / 50 for number in range(-25, 51))
    curves = {name: gain_curve(report, name, steps) for name in names}
    rows = -(-max(len(names), 1) // 3)
    with new_figure(8, 0.6 + 2.2 * rows) as (figure, axes):
        axes.remove()
        figure.subplots_adjust(
            left=0.08,
            right=0.98,
            top=1 - 0.4 / (0.6 + 2.2 * rows),
            hspace=0.5,
            wspace=0.12,
            bottom=0.55 / (0.6 + 2.2 * rows),
        )
        panels = figure.subplots(rows, 3, sharex=True, sharey=True, squeeze=False).ravel()
        for panel, name in zip(panels, names, strict=False):
            curve = curves[name]
            x = 100 * curve["step"]
            panel.fill_between(
                x, 100 * curve["least"], 100 * curve["most"], color=BLUE, alpha=0.2, linewidth=0
            )
            panel.plot(x, 100 * curve["least"], color=BLUE)
            panel.plot(x, 100 * curve["most"], color=BLUE, linestyle=(0, (5, 3)))
            panel.step(x, 100 * curve["certain"], color=TEAL, linestyle=":", where="post")
            panel.axvline(0, color=GREY, linewidth=1)
            panel.set_title(name, loc="left", fontsize=12)
            panel.set(ylim=(0, 103), xlim=(-50, 100), xticks=[0, 50])
            panel.xaxis.set_major_formatter(
                lambda value, _: f"{signed(value, 0)}%" if value else "0"
            )
            panel.yaxis.set_major_formatter(lambda value, _: f"{value:.0f}%")
        for panel in panels[len(names) :]:
            panel.remove()
        svg = as_svg(figure)
    data = pd.concat(
        [curve.assign(measure=name) for name, curve in curves.items()]
        or [pd.DataFrame(columns=["step", "least", "most", "certain", "measure"])],
        ignore_index=True,
    )
    said = "; ".join(
        f"{name}: {range_text(*_at(curve, 0.0))} now, {range_text(*_at(curve, 0.5))} with half of "
        "the way more"
        for name, curve in curves.items()
    )
    alt = (
        "Small line charts, one a measure, of the expected share of its reward if the due reading "
        f"were better or worse by part of the way to its target. {said or 'None can be drawn'}."
    )
    data = data[["measure", "step", "least", "most", "certain"]]
    return Chart(svg, alt, data, _gains_shown(curves))


def _gains_shown(curves: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """A row a measure, a column a step."""
    steps = {
        -0.5: "Half of the way less",
        0.0: "As forecast",
        0.5: "Half of the way more",
        1.0: "The whole way more",
    }
    columns = {
        heading: [range_text(*_at(curve, step)) for curve in curves.values()]
        for step, heading in steps.items()
    }
    return pd.DataFrame({"Measure": list(curves)} | columns)


def _at(curve: pd.DataFrame, step: float) -> tuple[float, float]:
    row = curve[curve["step"] == step].iloc[0]
    low, high = sorted((float(row["least"]), float(row["most"])))
    return low, high
