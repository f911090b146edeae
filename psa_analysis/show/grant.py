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
from psa_analysis.show import chart
from psa_analysis.show.chart import BLUE, DASHED, GREY, TEAL, Chart
from psa_analysis.show.tables import Column, Html, rows_table, sentence, table
from psa_analysis.show.views import View
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

    from psa_analysis.analysis.grant import Reward


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


def payment_rows(report: Report) -> pd.DataFrame:
    """When the reward is paid: on account, and in equal instalments after the agreement."""
    advances = on_account(report.readings, report.agreement, report.period)
    return payment_frame(_rewards(report), advances, report.agreement)


def reward(report: Report) -> View:
    """What the reward of the whole agreement may come to, and each measure's part of it."""
    return View(
        words=lambda: grant_words(report),
        chart=lambda: _grant_chart(report),
        table=lambda: _grant_table(report),
        data=grants(report),
    )


def better_results(report: Report) -> View:
    """What a better outturn would bring, for the measures where it would bring most."""
    chart, table = (lambda: _gains_chart(report)), (lambda: _gains_table(report))
    return View(chart=chart, table=table, data=gains(report))


def payments(report: Report) -> View:
    """When the reward is paid: on account, and in equal instalments after the agreement."""
    rows = payment_rows(report)
    return View(table=lambda: _payments_table(rows), data=rows)


def partners(report: Report) -> View:
    """How much of the reward rests on each partner."""
    rows = partner_frame(grants(report), report.agreement.targets)
    return View(table=lambda: _partners_table(rows), data=rows)


def grant_words(report: Report) -> Html:
    """What the reward of the whole agreement may come to, and what is not known of it."""
    whole, rows, settings = whole_grant(report), grants(report), report.agreement.settings
    unknown = rows.loc[rows["status"] == "not stated", "measure"].tolist()
    expected, (low, high) = range_text(*whole.expected()), whole.interval()
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
    if open_ends := int((rows["least"] < rows["most"]).sum()):
        sentences.append(
            "The figures are ranges because performance without the agreement is not stated for "
            f"{counted(open_ends, 'measure')}: at the least only a target that is met pays, at the "
            "most performance would have stayed at the baseline"
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


def _range_column(heading: str, low: str, high: str, decimals: int = 0) -> Column:
    """A column of two shares as one text, the lesser of them first."""

    def cell(row: pd.Series) -> str:
        least, most = sorted([row[low], row[high]])
        return range_text(least, most, decimals)

    return Column.number(heading, cell)


def _pounds_column(heading: str, kind: str) -> Column:
    """A column of two sums as one text."""
    ends = [f"{kind}_least", f"{kind}_most"]
    return Column.number(heading, lambda row: pounds_text(*row[ends]))


def _grant_table(report: Report) -> Html:
    """Each measure's part of the pot, and how much of it is expected."""
    rows = grants(report)
    forecast = rows["status"] == "forecast"
    rows[["low_80", "high_80"]] = rows[["low_80", "high_80"]].where(forecast)
    columns = [
        Column("Measure"),
        Column("What is measured", "title"),
        Column.number("Share of the pot", lambda row: f"{row['pot_share']:.1%}"),
        _range_column("Paid or expected of it", "least", "most"),
        _range_column("Eight in ten chances", "low_80", "high_80"),
        Column("Status"),
        Column("Rests on", "why"),
    ]
    if rows["pounds_most"].notna().any():
        columns.insert(4, _pounds_column("In pounds", "pounds"))
    return rows_table(rows, columns, f"The reward by measure, {report.period}", folded=True)


def _chances_table(report: Report) -> Html:
    """How likely at least so much of the pot is."""
    whole, pounds = whole_grant(report), pot(report.agreement.settings)
    columns = [
        Column("At least", lambda row: f"{row['share']:.0%} of the pot"),
        Column.number("Chance", lambda row: _chances_text(*whole.chance(row["share"]))),
    ]
    if pounds is not None:
        in_pounds = Column.number("In pounds", lambda row: f"£{float(pounds) * row['share']:,.0f}")
        columns.insert(1, in_pounds)
    rows = pd.DataFrame({"share": np.arange(1, 11) / 10})
    return rows_table(rows, columns, "How likely each part of the pot is", folded=True)


def _gains_table(report: Report) -> Html:
    """Where a better outturn would bring most."""
    columns = [
        Column("Measure"),
        Column("What is measured", "title"),
        Column(
            "A tenth of the way is",
            lambda row: amount_text(row["step"], unit_of_difference(row["unit"])),
        ),
        _range_column("It adds, of the pot", "least", "most", 2),
        _range_column("One unit adds", "unit_least", "unit_most", 2),
    ]
    caption = "What a due reading that is better by a tenth of the way to the target would bring"
    return rows_table(gains(report), columns, caption, folded=True)


def _payments_table(rows: pd.DataFrame) -> Html:
    """When the reward is paid, and in which kind of money."""
    columns = [
        Column("Year"),
        Column("Payment", "what"),
        _range_column("Of the pot", "least", "most", 1),
    ]
    for kind, heading in (("pounds", "In pounds"), ("capital", "Of that capital")):
        if rows[f"{kind}_most"].notna().any():
            columns.append(_pounds_column(heading, kind))
    return rows_table(rows, columns, "When the reward is paid")


def _partners_table(rows: pd.DataFrame) -> Html:
    columns = [
        Column("Partner"),
        Column("Takes part in", lambda row: listed(row["targets"])),
        Column.number("Share of the pot", lambda row: f"{row['pot_share']:.0%}"),
        _range_column("Expected", "least", "most", 1),
    ]
    caption = "The reward that rests on each partner; one of several partners counts whole for each"
    return rows_table(rows, columns, caption, folded=True)


def _draw_range(axes: Axes, across: pd.Series, ends: pd.DataFrame) -> None:
    """Draw what is expected in per cent: a line at the least, a dashed one at the most."""
    least, most = 100 * ends["least"], 100 * ends["most"]
    axes.fill_between(across, least, most, color=BLUE, alpha=0.2, linewidth=0)
    axes.plot(across, least, color=BLUE, label="at the least")
    axes.plot(across, most, color=BLUE, linestyle=DASHED, label="at the most")
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:.0f}%")


def _grant_chart(report: Report) -> Chart:
    """How likely at least each share of the pot is, at the least and at the most."""
    whole = whole_grant(report)
    shares = np.arange(101) / 100
    data = pd.DataFrame(map(whole.chance, shares), columns=["least", "most"])
    data.insert(0, "share", shares)

    def draw(axes: Axes) -> None:
        _draw_range(axes, 100 * data["share"], data)
        if not np.allclose(data["least"], data["most"]):
            axes.legend(loc="upper right")
        axes.set(xlim=(0, 100), ylim=(0, 102), xlabel="At least so much of the pot")
        axes.set_title("Chance", loc="left", fontsize=12)
        axes.grid(axis="x")
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:.0f}%")

    alt = (
        "Line chart of the chance that the reward comes to at least each share of the pot. "
        f"Expected: {range_text(*whole.expected())} of the pot."
    )
    return Chart(draw, alt, data, _chances_table(report), 3.6, (0.09, 0.97, 0.88, 0.16))


#: Steps that the chart of gains names, as shares of the way to the target.
_NAMED_STEPS = {
    -0.5: "Half of the way less",
    0.0: "As forecast",
    0.5: "Half of the way more",
    1.0: "The whole way more",
}


def _gains_chart(report: Report) -> Chart:
    """How the expected reward of six measures grows with a better outturn: with its cliff."""
    names = gains(report)["measure"].head(6).tolist()
    steps = tuple(number / 50 for number in range(-25, 51))
    curves = {name: gain_curve(report, name, steps) for name in names}
    rows = -(-max(len(names), 1) // 3)
    height = 0.6 + 2.2 * rows

    def draw(axes: Axes) -> None:
        panels = chart.panels(axes, rows, 0.5, shared=True)
        for panel, (name, curve) in zip(panels, curves.items(), strict=False):
            across = 100 * curve["step"]
            _draw_range(panel, across, curve)
            panel.step(across, 100 * curve["certain"], color=TEAL, linestyle=":", where="post")
            panel.axvline(0, color=GREY, linewidth=1)
            panel.set_title(name, loc="left", fontsize=12)
            panel.set(ylim=(0, 103), xlim=(-50, 100), xticks=[0, 50])
            panel.xaxis.set_major_formatter(
                lambda value, _: f"{signed(value, 0)}%" if value else "0"
            )
        for panel in panels[len(names) :]:
            panel.remove()

    columns = ["measure", "step", "least", "most", "certain"]
    data = pd.DataFrame(columns=columns)
    if names:
        data = pd.concat(curves, names=["measure"]).reset_index("measure")
        data = data[columns].reset_index(drop=True)
    shown = pd.DataFrame({"Measure": names})
    for step, heading in _NAMED_STEPS.items():
        ends = data.loc[data["step"] == step, ["least", "most"]]
        shown[heading] = [range_text(*sorted(pair)) for pair in ends.to_numpy()]
    alt = (
        "Small line charts, one a measure, of the expected share of its reward if the due reading "
        "were better or worse by part of the way to its target."
    )
    numbers = table(shown, "What a better result would bring", list(shown)[1:], folded=True)
    margins = (0.08, 0.98, 1 - 0.4 / height, 0.55 / height)
    return Chart(draw, alt, data, numbers, height, margins)
