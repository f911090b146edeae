"""The reward grant: what is likely, when it is paid, and what a better outturn would bring."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from psa_analysis.analysis.grant import (
    WholeGrant,
    gain_frame,
    grant_frame,
    joint_grant,
    measure_rewards,
    on_account,
    partner_frame,
    payment_frame,
    pot,
    pump_priming,
    reward_curve,
)
from psa_analysis.analysis.trajectory import exact
from psa_analysis.report import Report, memoised
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

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis

    from psa_analysis.analysis.grant import Floats, Reward


def _rewards(report: Report) -> dict[str, Reward]:
    """What the reward of each measure that counts may come to."""
    return measure_rewards(report.assessment, report.outlooks, report.agreement)


@memoised
def grants(report: Report) -> pd.DataFrame:
    """What each measure's reward has come to, or may come to."""
    return grant_frame(_rewards(report), report.assessment, report.agreement)


@memoised
def whole_grant(report: Report) -> WholeGrant:
    """The reward of the whole agreement, simulated."""
    return joint_grant(_rewards(report), report.agreement)


@memoised
def gains(report: Report) -> pd.DataFrame:
    """What a better outturn would bring, measure by measure."""
    return gain_frame(report.assessment, report.outlooks, report.agreement)


def gain_curve(report: Report, measure: str, steps: tuple[float, ...]) -> pd.DataFrame:
    """The expected proportion of a measure's reward, were its due reading better by so much."""
    trigger = exact(report.agreement.settings.grant.trigger)
    return reward_curve(report.rows[measure], report.outlooks[measure], trigger, steps)


def payments(report: Report) -> pd.DataFrame:
    """When the reward is paid: on account, and in equal instalments after the agreement."""
    advances = on_account(report.readings, report.agreement, report.period)
    return payment_frame(_rewards(report), advances, report.agreement)


def grant_words(report: Report) -> Html:
    """What the reward of the whole agreement may come to, and what is not known of it."""
    whole, rows, settings = whole_grant(report), grants(report), report.agreement.settings
    unknown = rows.loc[rows["status"] == "not stated", "measure"].tolist()
    expected, (low, high) = range_text(*whole.expected()), whole.interval(80)
    sentences = [f"The reward comes to {expected} of the pot"]
    if (rows["status"] == "forecast").any():
        sentences = [
            f"The reward is expected to come to {expected} of the pot; eight "
            f"in ten chances lie between {low:.0%} and {high:.0%}",
            f"The chance of half of the pot or more is {_chances_text(*whole.chance(0.5))}",
        ]
    if unknown:
        sentences.append(
            f"Nothing can be said of {counted(len(unknown), 'measure')} with {whole.unknown:.0%} "
            f"of the pot, and nothing is counted for them: {listed(unknown)}"
        )
    if (rows["least"] < rows["most"]).any():
        sentences.append(
            "The figures are ranges because performance without the agreement is not stated for "
            "most measures: at the least only a target that is met pays, at the most performance "
            "would have stayed at the baseline"
        )
    pounds, start = pot(settings), pump_priming(settings)
    if pounds is None:
        sentences.append(
            "The net budget requirement is not stated, so the pot is not known in pounds: all "
            "figures are shares of it"
        )
    else:
        of_it = pounds_text(*(share * float(pounds) for share in whole.expected()))
        sentences.append(f"The pot is £{float(pounds):,.0f}, and that much of it {of_it}")
    if start is not None:
        sentences.append(f"The pump-priming grant at the start is £{float(start):,.0f}")
    if report.assessment["illustrative"].any():
        sentences.append("These figures are illustrative, since the outturns that they rest on are")
    return sentence(". ".join(sentences) + ".")


def _chances_text(least: float, most: float) -> str:
    """Two chances as one text: ``4%``, ``under 1% to 34%``."""
    return " to ".join(dict.fromkeys([chance_text(least), chance_text(most)]))


def _ranges(rows: pd.DataFrame, low: str, high: str, decimals: int = 0) -> list[str]:
    """The lesser of two columns of shares to the greater, row by row."""
    pairs = np.sort(rows[[low, high]].to_numpy(dtype=float), axis=1)
    return [range_text(least, most, decimals) for least, most in pairs]


def _pounds(rows: pd.DataFrame, kind: str) -> list[str]:
    pairs = zip(rows[f"{kind}_least"], rows[f"{kind}_most"], strict=True)
    return [pounds_text(*pair) for pair in pairs]


def grant_table(report: Report) -> Html:
    """Each measure's part of the pot, and how much of it is expected."""
    rows = grants(report)
    frame = pd.DataFrame(
        {
            "Measure": rows["measure"],
            "What is measured": rows["title"],
            "Share of the pot": rows["pot_share"].map("{:.1%}".format),
            "Paid or expected of it": _ranges(rows, "least", "most"),
            "Eight in ten chances": _ranges(rows, "low_80", "high_80"),
            "Status": rows["status"],
            "Rests on": rows["why"],
        }
    )
    forecast = rows["status"] == "forecast"
    frame["Eight in ten chances"] = frame["Eight in ten chances"].where(forecast, "–")
    if rows["pounds_most"].notna().any():
        frame.insert(4, "In pounds", _pounds(rows, "pounds"))
    numeric = ["Share of the pot", "Paid or expected of it", "In pounds", "Eight in ten chances"]
    return table(frame, f"The reward by measure, {report.period}", numeric=numeric)


def grant_chances_table(report: Report) -> Html:
    """How likely at least so much of the pot is."""
    whole, pounds = whole_grant(report), pot(report.agreement.settings)
    shares = [number / 10 for number in range(1, 11)]
    frame = pd.DataFrame(
        {
            "At least": [f"{share:.0%} of the pot" for share in shares],
            "Chance": [_chances_text(*whole.chance(share)) for share in shares],
        }
    )
    if pounds is not None:
        frame.insert(1, "In pounds", [f"£{float(pounds) * share:,.0f}" for share in shares])
    caption = "How likely each part of the pot is"
    return table(frame, caption, numeric=["In pounds", "Chance"], folded=True)


def gains_table(report: Report) -> Html:
    """Where a better outturn would bring most."""
    rows = gains(report)
    units = rows["unit"].map(unit_of_difference)
    frame = pd.DataFrame(
        {
            "Measure": rows["measure"],
            "What is measured": rows["title"],
            "A tenth of the way is": list(map(amount_text, rows["step"], units)),
            "It adds, of the pot": _ranges(rows, "least", "most", 2),
            "One unit adds": _ranges(rows, "unit_least", "unit_most", 2),
        }
    )
    caption = "What a due reading that is better by a tenth of the way to the target would bring"
    return table(frame, caption, numeric=list(frame.columns[3:]))


def payments_table(report: Report) -> Html:
    """When the reward is paid, and in which kind of money."""
    rows = payments(report)
    of_pot = _ranges(rows, "least", "most", 1)
    frame = pd.DataFrame({"Year": rows["year"], "Payment": rows["what"], "Of the pot": of_pot})
    for kind, heading in (("pounds", "In pounds"), ("capital", "Of that capital")):
        if rows[f"{kind}_most"].notna().any():
            frame[heading] = _pounds(rows, kind)
    return table(frame, "When the reward is paid", numeric=list(frame.columns[2:]))


def partners_table(report: Report) -> Html:
    """How much of the reward rests on each partner."""
    rows = partner_frame(grants(report), report.agreement.targets)
    frame = pd.DataFrame(
        {
            "Partner": rows["partner"],
            "Takes part in": rows["targets"].map(listed),
            "Share of the pot": rows["pot_share"].map("{:.0%}".format),
            "Expected": _ranges(rows, "least", "most", 1),
        }
    )
    caption = "The reward that rests on each partner; one of several partners counts whole for each"
    return table(frame, caption, numeric=["Share of the pot", "Expected"], folded=True)


def _draw_range(axes: Axes, across: Floats, ends: pd.DataFrame, labels: tuple[str, str]) -> None:
    """Draw what is expected in per cent: a line at the least, a dashed one at the most."""
    least, most = 100 * ends["least"], 100 * ends["most"]
    axes.fill_between(across, least, most, color=BLUE, alpha=0.2, linewidth=0)
    axes.plot(across, least, color=BLUE, label=labels[0])
    axes.plot(across, most, color=BLUE, linestyle=(0, (5, 3)), label=labels[1])


def _in_per_cent(axis: Axis) -> None:
    axis.set_major_formatter(lambda value, _: f"{value:.0f}%")


def grant_chart(report: Report) -> Chart:
    """How likely at least each share of the pot is, at the least and at the most."""
    whole = whole_grant(report)
    shares = np.arange(101) / 100
    data = pd.DataFrame(map(whole.chance, shares), columns=["least", "most"])
    data.insert(0, "share", shares)
    with new_figure(8, 3.6) as (figure, axes):
        figure.subplots_adjust(left=0.09, right=0.97, top=0.88, bottom=0.16)
        _draw_range(axes, 100 * shares, data, ("at the least", "at the most"))
        if not np.allclose(data["least"], data["most"]):
            axes.legend(loc="upper right")
        axes.set(xlim=(0, 100), ylim=(0, 102), xlabel="At least so much of the pot")
        axes.set_title("Chance", loc="left", fontsize=12)
        axes.grid(axis="x")
        _in_per_cent(axes.xaxis)
        _in_per_cent(axes.yaxis)
        svg = as_svg(figure)
    chances = "; ".join(
        f"at least {row.share:.0%}: {_chances_text(row.least, row.most)}"
        for row in data.iloc[10:100:20].itertuples()
    )
    alt = (
        "Line chart of the chance that the reward comes to at least each share of the pot. "
        f"Expected: {range_text(*whole.expected())} of the pot. {chances}."
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


#: Steps that the chart of gains names, as shares of the way to the target.
_NAMED_STEPS = {
    -0.5: "Half of the way less",
    0.0: "As forecast",
    0.5: "Half of the way more",
    1.0: "The whole way more",
}


def gains_chart(report: Report, most: int = 6) -> Chart:
    """How the expected reward of single measures grows with a better outturn: with its cliff."""
    names = gains(report)["measure"].head(most).tolist()
    steps = tuple(number / 50 for number in range(-25, 51))
    curves = {name: gain_curve(report, name, steps) for name in names}
    rows = -(-max(len(names), 1) // 3)
    height = 0.6 + 2.2 * rows
    margins = {"left": 0.08, "right": 0.98, "top": 1 - 0.4 / height, "bottom": 0.55 / height}
    with new_figure(8, height) as (figure, axes):
        axes.remove()
        figure.subplots_adjust(**margins, hspace=0.5, wspace=0.12)
        panels = figure.subplots(rows, 3, sharex=True, sharey=True, squeeze=False).ravel()
        for panel, (name, curve) in zip(panels, curves.items(), strict=False):
            across = 100 * curve["step"].to_numpy()
            _draw_range(panel, across, curve, ("", ""))
            panel.step(across, 100 * curve["certain"], color=TEAL, linestyle=":", where="post")
            panel.axvline(0, color=GREY, linewidth=1)
            panel.set_title(name, loc="left", fontsize=12)
            panel.set(ylim=(0, 103), xlim=(-50, 100), xticks=[0, 50])
            panel.xaxis.set_major_formatter(
                lambda value, _: f"{signed(value, 0)}%" if value else "0"
            )
            _in_per_cent(panel.yaxis)
        for panel in panels[len(names) :]:
            panel.remove()
        svg = as_svg(figure)
    columns = ["measure", "step", "least", "most", "certain"]
    frames = [curve.assign(measure=name)[columns] for name, curve in curves.items()]
    data = pd.concat(frames or [pd.DataFrame(columns=columns)], ignore_index=True)
    shown = pd.DataFrame({"Measure": names})
    for step, heading in _NAMED_STEPS.items():
        shown[heading] = _ranges(data[data["step"] == step], "least", "most")
    described = "; ".join(
        f"{row[0]}: {row[2]} now, {row[3]} with half of the way more"
        for row in shown.itertuples(index=False)
    )
    alt = (
        "Small line charts, one a measure, of the expected share of its reward if the due reading "
        "were better or worse by part of the way to its target. "
        f"{described or 'None can be drawn'}."
    )
    return Chart(svg, alt, data, shown)
