"""The reward grant: what is likely, when it is paid, and what a better outturn would bring."""

import numpy as np
import pandas as pd

from psa_analysis import words
from psa_analysis.analysis import grant
from psa_analysis.report import Report, memoised, of_theme
from psa_analysis.show import chart
from psa_analysis.show.chart import BLUE, DASHED, Axes, Chart
from psa_analysis.show.tables import Column, Html, rows_table, sentence, table
from psa_analysis.show.views import View, no_view


@memoised
def _rewards(report: Report) -> dict[str, grant.Reward]:
    """What the reward of each measure that counts may come to."""
    trigger = report.agreement.settings.grant.trigger
    return {
        name: grant.measure_reward(report.rows[name], report.outlooks[name], trigger)
        for name in grant.pot_shares(report.agreement)
        if name in report.rows
    }


@memoised
def grants(report: Report) -> pd.DataFrame:
    """What each measure's reward has come to, or may come to."""
    return grant.grant_frame(_rewards(report), report.assessment, report.agreement)


def gain_curve(report: Report, measure: str, steps: tuple[float, ...]) -> pd.DataFrame:
    """The expected proportion of a measure's reward, were its due reading better by so much."""
    row, outlook = report.rows[measure], report.outlooks[measure]
    return grant.reward_curve(row, outlook, report.agreement.settings.grant.trigger, steps)


@memoised
def gains(report: Report) -> pd.DataFrame:
    """What a tenth of the way to the target (``step``) would add to each reward, of the pot."""
    table = []
    for name, share in grant.pot_shares(report.agreement).items():
        row, curve = report.rows[name], gain_curve(report, name, (0.0, 0.1))
        if len(curve):
            step = abs(float(row["target"]) - grant.way_starts(row)) / 10
            added = float(share) * curve[["least", "most"]].diff().iloc[-1]
            table.append([name, row["title"], row["unit"], step, added.min(), added.max()])
    frame = pd.DataFrame(table, columns=["measure", "title", "unit", "step", "least", "most"])
    return frame.sort_values(["most", "least"], ascending=False, ignore_index=True)


def reward(report: Report) -> View:
    """What the reward of the whole agreement may come to, and each measure's part of it."""
    if grants(report).empty:
        return no_view("No target of this agreement earns a reward.")
    return View(
        words=lambda: grant_words(report),
        chart=lambda: _grant_chart(report),
        table=lambda: _grant_table(report),
        data=grants(report),
    )


def payments(report: Report) -> View:
    """When the reward is paid: on account, and in equal instalments after the agreement."""
    rows = grant.payment_frame(_rewards(report), report.readings, report.agreement)
    parts = [f"{share:.0%} of the pot that is {why}" for why, share in _left_out(report).items()]
    without = f", without the {words.listed(parts)}" if parts and len(rows) else ""
    columns = [Column("Year"), Column("Payment", "what")]
    columns.append(Column.share("Of the pot", "least", "most", 1))
    for kind, heading in (("pounds", "In pounds"), ("capital", "Of that capital")):
        if rows[f"{kind}_most"].notna().any():
            columns.append(_pounds_column(heading, kind))
    caption = f"When the reward is paid{without}"
    return View(table=lambda: rows_table(rows, columns, caption), data=rows)


def partners(report: Report) -> View:
    """How much of the reward rests on each partner."""
    rows = grant.partner_frame(grants(report), report.agreement.targets)
    columns = [
        Column("Partner"),
        Column("Takes part in", lambda row: words.listed(row["targets"])),
        Column.number("Share of the pot", lambda row: f"{row['pot_share']:.0%}"),
        Column.share("Expected", "least", "most", 1),
        Column.share("Unknown", "unknown", "unknown", 1),
    ]
    caption = "The reward that rests on each partner; shared targets count in full for each"
    return View(table=lambda: rows_table(rows, columns, caption, folded=True), data=rows)


def _left_out(report: Report) -> dict[str, float]:
    """The shares of the pot that no figure counts, by why."""
    rows = grants(report)
    unknown = float(rows.loc[rows["status"] == "not stated", "pot_share"].sum())
    shares = {"unknown": unknown, "not entered": 1 - float(rows["pot_share"].sum())}
    return {why: share for why, share in shares.items() if share > grant.SLACK}


def not_entered_text(report: Report) -> str:
    """How many targets are not entered and what part of the pot is theirs; nothing if none."""
    total, pounds = report.agreement.settings.grant.targets, grant.pot(report.agreement.settings)
    share = 1 - sum(grant.pot_shares(report.agreement).values())
    if not share or isinstance(total, str):
        return ""
    part = f"{float(share):.0%}" if pounds is None else words.sum_text(float(pounds * share))
    named = dict(enumerate(words.NUMBERS))
    number, of = (named.get(int(n), f"{n}") for n in (total * share, total))
    which = f"{number} of the {of.lower()} targets {'is' if total * share == 1 else 'are'}"
    return f"{which} not entered: {part} of the pot is not shown."


def expected_text(rows: pd.DataFrame) -> str:
    """``15 to 37% of the pot, with 27% unknown``; in pounds too where the pot is stated."""
    if (unknown := rows["status"] == "not stated").all():
        return "unknown"
    ends = rows[["least", "most"]].mul(rows["pot_share"], axis=0).sum()
    text = f"{words.range_text(*ends)} of the pot"
    if rows["pounds_most"].notna().any():
        text += f" ({words.pounds_text(*rows[['pounds_least', 'pounds_most']].sum())})"
    share = rows.loc[unknown, "pot_share"].sum()
    return f"{text}, with {share:.0%} unknown" if share else text


def grant_words(report: Report) -> Html:
    """What the reward of the whole agreement may come to, and what is not known of it."""
    rows, settings = grants(report), report.agreement.settings
    unknown = rows.loc[rows["status"] == "not stated", "title"].tolist()
    forecast = (rows["status"] == "forecast").any()
    sentences = [f"The {'expected ' if forecast else ''}reward is {expected_text(rows)}"]
    sentences += filter(None, [not_entered_text(report)])
    if unknown:
        titles = "; ".join(unknown) if len(unknown) < 6 else f"{len(unknown)} targets"
        sentences.append(f"Nothing can be said about: {titles}")
    if forecast:
        low, high = _draws(report)["least"].quantile(0.1), _draws(report)["most"].quantile(0.9)
        sentences.append(f"There is an 80% chance that it lies between {low:.0%} and {high:.0%}")
    if open_ends := int((rows["least"] < rows["most"]).sum()):
        measures = words.counted(open_ends, "measure")
        sentences += [
            f"Performance without the agreement is not stated for {measures}, so there is a range",
            "The lower figure counts only targets that are met",
            "The higher figure measures progress from the baseline",
        ]
    if len(known := rows.dropna(subset="paid")):
        paid, ours = (words.sum_text(known[name].sum()) for name in ("paid", "pounds_most"))
        sentences.append(f"{paid} was paid for {words.counted(len(known), 'measure')}")
        if known["difference"].notna().all():
            difference = words.sum_text(known["difference"].sum(), "+")
            sentences[-1] += f"; we work out {ours}, a difference of {difference}"
    if number := int((rows["status"] == "provisional").sum()):
        outturns = words.counted(number, "outturn")
        sentences.append(f"{outturns} {words.are(number)} provisional and may still be revised")
    pounds, start = grant.pot(settings), grant.pump_priming(settings)
    sentences.append(f"The pot is {'not stated' if pounds is None else f'£{float(pounds):,.0f}'}")
    if start is not None:
        sentences.append(f"The pump-priming grant at the start is £{start:,.0f}")
    if report.assessment["illustrative"].any():
        sentences.append("These figures are illustrative")
    return sentence(words.as_sentences(sentences))


def _pounds_column(heading: str, kind: str) -> Column:
    """A column of two sums as one text."""
    ends = [f"{kind}_least", f"{kind}_most"]
    return Column.number(heading, lambda row: words.pounds_text(*row[ends]))


def _grant_table(report: Report) -> Html:
    """Each measure's part of the pot, and how much of it is expected."""
    rows = grants(report)
    rows[["low_80", "high_80"]] = rows[["low_80", "high_80"]].where(rows["status"] == "forecast")
    if share := _left_out(report).get("not entered"):
        cells = {"measure": "other targets", "pot_share": share, "status": "not entered"}
        rows = pd.concat([rows, pd.DataFrame([cells])], ignore_index=True)
    columns = [
        Column("Measure"),
        Column("What is measured", "title"),
        Column.number("Share of the pot", lambda row: f"{row['pot_share']:.1%}"),
        Column.share("Paid or expected of it", "least", "most"),
        Column.share("80% range", "low_80", "high_80"),
        Column("Status"),
        Column("Rests on", "why"),
    ]
    if rows["pounds_most"].notna().any():
        columns.insert(4, _pounds_column("In pounds", "pounds"))
    if rows["paid"].notna().any():
        difference = Column.number("Difference", lambda row: words.sum_text(row["difference"], "+"))
        columns[5:5] = [Column.number("Paid", lambda row: words.sum_text(row["paid"])), difference]
    return rows_table(rows, columns, f"The reward by measure, {report.period}", folded=True)


@memoised
def _draws(report: Report) -> pd.DataFrame:
    """Joint draws of the known share of the pot, at the least and at the most."""
    shares = grant.pot_shares(report.agreement)
    stated = {name: each for name, each in _rewards(report).items() if each.status != "not stated"}
    parts = [(float(shares[name]), each.least, each.most) for name, each in stated.items()]
    least, most = grant.simulate(parts)
    return pd.DataFrame({"least": least, "most": most})


def _grant_chart(report: Report) -> Chart:
    """How likely at least each share of the pot is, at the least and at the most."""
    if expected_text(grants(report)) == "unknown":
        return chart.only_words("Chart of the reward: nothing of it is known.")
    draws, shares = _draws(report), np.arange(101) / 100
    left_out = [f"{share:.0%} is {why}" for why, share in _left_out(report).items()]
    chances = [(draws >= share - grant.SLACK).mean() for share in shares]
    data = pd.DataFrame(chances).assign(share=shares)
    label = "; ".join(["At least so much of the pot", *left_out])

    def draw(axes: Axes) -> None:
        across, least, most = (100 * data[name] for name in ("share", "least", "most"))
        axes.fill_between(across, least, most, color=BLUE, alpha=0.2, linewidth=0)
        axes.plot(across, least, color=BLUE, label="at the least")
        axes.plot(across, most, color=BLUE, linestyle=DASHED, label="at the most")
        if not np.allclose(data["least"], data["most"]):
            axes.legend(loc="upper right")
        axes.set(xlim=(0, 100), ylim=(0, 102), xlabel=label)
        axes.set_title("Chance", loc="left", fontsize=12)
        axes.grid(axis="x")
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(lambda value, _: f"{value:.0f}%")

    columns = [Column("At least", lambda row: f"{row['share']:.0%} of the pot")]
    columns += [Column.chance(f"Chance at the {end}", end) for end in ("least", "most")]
    numbers = rows_table(data.iloc[10::10], columns, "How likely each part is", folded=True)
    alt = "Line chart of the chance that the reward comes to at least each share of the pot. "
    alt += f"The expected reward is {expected_text(grants(report))}."
    return Chart(draw, alt, data, numbers, 3.6, (0.09, 0.97, 0.88, 0.16))


def better_outturns(report: Report, measure: str, steps: tuple[float, ...]) -> pd.DataFrame:
    """The chance and share of the pot of a target, were its result better by parts of the way."""
    row, outlook = report.rows[measure], report.outlooks[measure]
    way = float(row["target"]) - grant.way_starts(row)
    to_go = way > 0 if row["polarity"] == "higher" else way < 0
    # A public report holds some chances without the forecast behind them.
    open_ = row["is_forecast"] and row["rule"] == "level" and not outlook.reason
    if not open_ or pd.isna(row["chance_target"]) or not to_go:
        return pd.DataFrame()
    # To move the forecast by a step has the same chance as to move the target towards it.
    chances = [outlook.chance(row["target"] - step * way, row["polarity"]) for step in steps]
    pot_share = float(grant.pot_shares(report.agreement).get(measure, float("nan")))
    paid = gain_curve(report, measure, steps).set_index("step")[["least", "most"]]
    return pd.DataFrame({"way": abs(way), "chance": chances}, steps).join(paid * pot_share)


def outturns(report: Report, theme: str | None = None) -> Html:
    """What better final results would do to the chance and the reward of each measure."""
    rows = []
    # Shares of the way to the target.
    steps = {"as forecast": 0, "a tenth better": 0.1, "a quarter better": 0.25, "half better": 0.5}
    for _, row in of_theme(report, theme).iterrows():
        if (moved := better_outturns(report, row["measure"], tuple(steps.values()))).empty:
            continue
        moved = moved.set_axis(list(steps))
        tenth = words.amount_text(moved["way"].iloc[0] / 10, words.unit_of_difference(row["unit"]))
        cells = {"Measure": row["measure"], "What is measured": row["title"], "A tenth is": tenth}
        for name, step in moved.iterrows():
            cells[f"Chance, {name}"] = words.chance_text(step["chance"])
            cells[f"Reward, {name}"] = words.range_text(step["least"], step["most"], 1)
        rows.append(cells)
    if not rows:
        return sentence("Nothing here is forecast.")
    frame = pd.DataFrame(rows)
    caption = f"Chance and share of the pot if results were better than forecast, {report.period}"
    # Amounts in words of several units may break, so that the names beside them have room.
    return table(frame, caption, numeric=list(frame.columns[3:]), folded=True)
