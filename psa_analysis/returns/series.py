"""Series: doubts that only a whole series of observations, or several together, can give."""

from collections.abc import Iterator

import pandas as pd

from psa_analysis.findings import Finding, grouped
from psa_analysis.periods import FREQUENCIES
from psa_analysis.register.agreement import Agreement
from psa_analysis.returns.cleaning import counted_measures


def check_series(observations: pd.DataFrame, agreement: Agreement) -> list[Finding]:
    """Warnings about sums, areas that have fallen away, and figures far from their neighbours."""
    newest = observations.drop_duplicates(["measure", "area", "period"], keep="last")
    newest = newest[newest["value"].notna()]
    findings: list[Finding] = []
    areas, measures = agreement.areas, agreement.measures
    for total, parts in measures["parts"].items():
        if parts:
            findings += _wrong_sums(newest, "measure", str(total), list(parts), ", ".join(parts))
    # What is of councils does not add up: the county council's is not that of its districts.
    of_councils = {*agreement.baskets["indicator"]}
    if agreement.settings.effectiveness:
        of_councils.add(agreement.settings.effectiveness.net_budget)
    signed = measures.index[measures["floor"] < 0]
    summed = newest["measure"].isin(counted_measures(measures).difference([*of_councils, *signed]))
    # Districts make a county, and so do its schools: each kind of part by itself.
    for (whole, _), parts in areas[areas["part_of"] != ""].groupby(["part_of", "kind"])["area"]:
        words = f"the {len(parts)} parts of {whole}"
        findings += _wrong_sums(newest[summed], "area", whole, list(parts), words)
    return grouped([*findings, *_coverage(newest), *_outliers(newest, agreement)])


def _warning(row: pd.Series, expected: str, remedy: str) -> Finding:
    """A doubt about the value of an observation."""
    found, sheet = f"{row['value']:,.15g}", row["sheet"] or None
    place = (int(row["row"]), "value", found, row["measure"], sheet)
    return Finding("warning", row["file"], expected, remedy, *place)


def _wrong_sums(
    newest: pd.DataFrame, column: str, whole: str, parts: list[str], words: str
) -> Iterator[Finding]:
    """Figures that are not the sum of those of all their parts, which `column` names."""
    key = [name for name in ("measure", "area", "period") if name != column]
    values = newest[newest[column].isin(parts)].pivot(index=key, columns=column, values="value")
    added = values.reindex(columns=parts).sum(axis=1, skipna=False).rename("added")
    for _, row in newest[newest[column] == whole].join(added, on=key).iterrows():
        if abs(row["value"] - row["added"]) > 1e-9 * max(1, abs(row["added"])):
            remedy = "Ask the sender whether the total or a part is wrong."
            yield _warning(row, f"the sum of {words}, {row['added']:,.15g}", remedy)


def _coverage(newest: pd.DataFrame) -> Iterator[Finding]:
    """Areas that sent a figure last time and not this time."""
    for _, series in newest.groupby("measure", sort=False):
        ends = sorted(series["period_end"].unique())[-2:]
        areas = [set(series.loc[series["period_end"] == end, "area"]) for end in ends]
        gone = sorted(areas[0] - areas[-1])
        # One or two areas come and go; a body of them that shrinks has lost someone.
        if len(areas[0]) >= 3 and gone:
            row = series[series["period_end"] == ends[-1]].iloc[0]
            expected = f"a figure for {', '.join(gone)} too, as the period before"
            place = (None, "area", f"{len(areas[-1])} areas", row["measure"], row["sheet"] or None)
            yield Finding("warning", row["file"], expected, "Ask who has not sent theirs.", *place)


def _outliers(newest: pd.DataFrame, agreement: Agreement) -> Iterator[Finding]:
    """Figures further from the mean of their neighbours than six times the usual distance."""
    # Neighbours are a year apart, for the seasons; less than a tenth of the figure is never far.
    frequencies = newest["measure"].map(agreement.measures["frequency"])
    steps = frequencies.map(lambda name: FREQUENCIES[name].per_year)
    ordered, key = newest.sort_values(["measure", "area", "period_end"]), ["measure", "area"]
    for step, rows in ordered.groupby(steps):
        rows = rows[rows.groupby(key)["value"].transform("size") >= 2 * step + 6]
        values, groups = rows["value"], [rows[name] for name in key]
        of_series = values.groupby(groups, sort=False)
        before, after = of_series.shift(step), of_series.shift(-step)
        distance = (values - (before + after) / 2).abs()
        usual = distance.groupby(groups).transform("median")
        # A wild figure makes its neighbours look wild too: the wildest of them is meant.
        wildest = distance.groupby(groups).rolling(2 * step + 1, center=True, min_periods=1).max()
        far = (distance > 6 * usual) & (distance > 0.1 * values.abs())
        far &= distance >= wildest.droplevel(key)
        # The newest figures have no later neighbour: they are compared with the year before.
        change = (values - before).abs()
        usual_change = change.groupby(groups).transform("median")
        moved = (change > 6 * usual_change) & (change > 0.3 * before.abs()) & after.isna()
        far &= ~moved.groupby(groups).shift(-step, fill_value=False)
        rows = rows.assign(away=distance.fillna(change), usual=usual)[far | moved]
        for _, row in rows.iterrows():
            away = f"it differs by {row['away']:,.4g}, where {row['usual']:,.4g} is usual"
            expected = f"a figure closer to those a year before and after: {away}"
            yield _warning(row, expected, "Ask whether it is right.")
