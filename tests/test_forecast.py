"""Forecasts: their scale, their chances, what they refuse, and how often they are right."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from psa_analysis.analysis.forecast import FEWEST, constants, forecast_series


def panels_between(lowest: float, highest: float) -> st.SearchStrategy[np.ndarray]:
    """One to four series of six readings."""
    series = st.lists(st.floats(lowest, highest), min_size=6, max_size=6)
    return st.lists(series, min_size=1, max_size=4).map(np.array)


PERCENTAGES, POSITIVE = panels_between(1, 99), panels_between(0.1, 1e6)
INSIDE = np.array([0.025, 0.1, 0.25, 0.5, 0.75, 0.9, 0.975])


def wandering(series: int, readings: int, size: float = 0.08, seed: int = 1) -> np.ndarray:
    steps = np.random.default_rng(seed).normal(0, size, (series, readings))
    return 500 * np.exp(np.cumsum(steps, axis=1))


@given(PERCENTAGES)
def test_a_percentage_stays_one(readings: np.ndarray) -> None:
    forecast = forecast_series(readings, 3, "percent").quantile(INSIDE)
    assert ((forecast >= 0) & (forecast <= 100)).all()
    assert (np.diff(forecast, axis=-1) >= 0).all()


@given(PERCENTAGES, st.floats(0.5, 99.5))
def test_failures_are_the_mirror_of_successes(readings: np.ndarray, target: float) -> None:
    passed, failed = (
        forecast_series(readings, 3, "percent"),
        forecast_series(100 - readings, 3, "percent"),
    )
    np.testing.assert_allclose(
        passed.probability(target, "higher"), failed.probability(100 - target, "lower"), atol=1e-7
    )
    np.testing.assert_allclose(
        passed.quantile(INSIDE), 100 - failed.quantile(1 - INSIDE), atol=1e-5
    )


@given(POSITIVE)
def test_chances_fall_as_the_target_rises_and_fit_the_intervals(readings: np.ndarray) -> None:
    forecast = forecast_series(readings, 3, "positive")
    targets = np.linspace(0, 2 * readings.max(), 41)
    chances = np.stack([forecast.probability(target, "higher") for target in targets])
    assert (np.diff(chances, axis=0) <= 1e-12).all()
    lower = forecast.probability(targets[7], "lower")
    np.testing.assert_allclose(forecast.probability(targets[7], "higher") + lower, 1)
    for share in INSIDE:
        limit = forecast.quantile(share)
        chance = forecast.probability(limit, "lower")
        np.testing.assert_allclose(chance[limit > 0], share, atol=1e-6)


@given(panels_between(-50, 50))
def test_a_change_and_its_opposite_are_mirrored(values: np.ndarray) -> None:
    up, down = forecast_series(values, 2, "real"), forecast_series(-values, 2, "real")
    np.testing.assert_allclose(up.quantile(0.9), -down.quantile(0.1), atol=1e-6)
    np.testing.assert_allclose(
        up.probability(3, "higher"), down.probability(-3, "lower"), atol=1e-9
    )


def test_counts_are_whole_and_as_wide_as_chance_alone() -> None:
    steady = np.tile([277.0, 276, 278, 277, 276, 277], (3, 1))
    forecast = forecast_series(steady, 2, "count")
    limits = forecast.quantile([0.025, 0.5, 0.975])
    assert (limits == np.rint(limits)).all()
    # Poisson: about 277 ± 33, as a yearly count of casualties has by chance.
    assert (limits[:, 0, 2] - limits[:, 0, 0] >= 2 * 1.96 * np.sqrt(277) * 0.99).all()
    exact = forecast.probability(277, "higher") + forecast.probability(276, "lower")
    np.testing.assert_allclose(exact, 1)
    assert (forecast_series(np.zeros((1, 5)), 2, "count").quantile(0.1) == 0).all()
    # Where there are many, chance is small, and counts were steadier than other figures.
    many = np.array([[80_000, 90_000, 85_000, 95_000]])
    counts, others = (forecast_series(many, 1, kind).spread for kind in ("count", "positive"))
    assert counts / others == pytest.approx(np.exp(constants(1).count))


def test_a_percentage_of_few_is_wider_than_one_of_many() -> None:
    steady = np.tile([50.0, 50.1, 49.9, 50.0, 50.1], (2, 1))
    found = forecast_series(steady, 1, "percent", denominators=[40, 40_000])
    few, many = np.ptp(found.quantile([0.1, 0.9]), axis=-1)[:, 0]
    assert few > 2 * 1.2816 * 100 * np.sqrt(0.25 / 40) * 0.95
    assert many < few / 5


@pytest.mark.parametrize("readings", [0, 1, 2])
def test_fewer_than_three_readings_are_refused(readings: int) -> None:
    values = wandering(2, 8)
    values[0, : 8 - readings] = np.nan
    forecast = forecast_series(values, 3, "positive")
    assert np.isnan(forecast.quantile(0.5)[0]).all()
    assert np.isnan(forecast.probability(500, "higher")[0]).all()
    assert not np.isnan(forecast.quantile(0.5)[1]).any()
    assert forecast.readings.tolist() == [readings, 8]
    assert FEWEST == 3


def test_longer_horizons_and_shorter_histories_are_wider() -> None:
    values = wandering(40, 12)
    long = forecast_series(values, 6, "positive").quantile([0.1, 0.9])
    width = np.diff(long, axis=-1)[..., 0]
    assert (np.diff(width, axis=1) > 0).mean() > 0.95
    short = values.copy()
    short[:, :9] = np.nan
    narrow = np.diff(forecast_series(short, 6, "positive").quantile([0.1, 0.9]), axis=-1)[..., 0]
    assert np.median(narrow[:, 0]) > np.median(width[:, 0])


def test_a_gap_widens_and_what_is_missing_at_the_end_counts_as_time() -> None:
    values = wandering(30, 10)
    gap = values.copy()
    gap[:, -1] = np.nan
    later = forecast_series(gap, 1, "positive").quantile([0.1, 0.9])
    ahead = forecast_series(values[:, :-1], 2, "positive").quantile([0.1, 0.9])[:, 1:]
    ratio = np.diff(later, axis=-1) / np.diff(ahead, axis=-1)
    assert 0.98 < np.median(ratio) < 1.02


def test_seasons_are_followed_where_there_are_any() -> None:
    year = np.array([80.0, 120, 100, 140])
    generator = np.random.default_rng(3)
    seasonal = np.tile(year, (20, 4)) * generator.normal(1, 0.02, (20, 16))
    forecast = forecast_series(seasonal, 4, "positive", per_year=4).quantile(0.5)
    np.testing.assert_allclose(np.median(forecast, axis=0), year, rtol=0.03)
    flat = 100 * generator.normal(1, 0.1, (20, 16))
    level = forecast_series(flat, 4, "positive", per_year=4).quantile(0.5)
    # No pattern is made of noise: forecasts stay nearer the middle than the readings were.
    assert level.std() < 0.5 * flat.std()


def test_a_group_teaches_its_series() -> None:
    """Forty steadily falling series: what three readings cannot show, the group does."""
    generator = np.random.default_rng(5)
    falling = 400 * 0.93 ** np.arange(5) * np.exp(generator.normal(0, 0.02, (40, 5)))
    grouped = np.median(forecast_series(falling, 1, "positive").quantile(0.5)[:, 0])
    assert grouped == pytest.approx(400 * 0.93**5, rel=0.03)
    assert grouped < forecast_series(falling[:1], 1, "positive").quantile(0.5)[0, 0]


def test_a_common_path_is_kept_for_a_group_and_not_for_a_portfolio() -> None:
    """Three readings of thirty series that rise by a tenth a year, with as much noise."""
    rising = 400 * 1.1 ** np.arange(3) * np.exp(np.random.default_rng(7).normal(0, 0.1, (30, 3)))
    choices = [constants(1), dataclasses.replace(constants(1), half_group=None)]
    with_drift, without = (
        np.median(forecast_series(rising, 3, "positive", usual=usual).quantile(0.5)[:, 2])
        for usual in choices
    )
    assert with_drift > 1.05 * without
    portfolios = [
        forecast_series(rising, 3, "positive", groups=list(range(30)), usual=usual).quantile(0.5)
        for usual in choices
    ]
    np.testing.assert_array_equal(*portfolios)


def test_order_and_other_groups_change_nothing() -> None:
    values, other = wandering(30, 7), wandering(30, 7, size=0.4, seed=2)
    alone = forecast_series(values, 3, "positive").quantile(0.9)
    order = np.random.default_rng(1).permutation(60)
    both = np.concatenate([values, other])[order]
    names = np.repeat(["one", "two"], 30)[order]
    mixed = forecast_series(both, 3, "positive", groups=names.tolist()).quantile(0.9)
    np.testing.assert_allclose(mixed[np.argsort(order)[:30]], alone, rtol=1e-9)


def test_chances_agree_with_simulation() -> None:
    values = wandering(6, 9)
    forecast = forecast_series(values, 3, "positive")
    drawn = forecast.paths(40_000, seed=1)
    for target in (450, 500, 550):
        counted = (drawn >= target).mean(axis=1)
        np.testing.assert_allclose(counted, forecast.probability(target, "higher"), atol=0.01)
    np.testing.assert_allclose(
        np.quantile(drawn, INSIDE, axis=1).transpose(1, 2, 0), forecast.quantile(INSIDE), rtol=0.02
    )
    # What comes later goes with what comes before.
    assert all(np.corrcoef(paths.T)[0, 1] > 0.3 for paths in drawn)
    np.testing.assert_array_equal(drawn, forecast.paths(40_000, seed=1))
    # Some series and some periods are drawn as they would be with the others.
    some = forecast.paths(40_000, 1, slice(2, 4), slice(2))
    assert some.shape == (2, 40_000, 2)
    near = np.quantile(some, INSIDE, axis=1), np.quantile(drawn[2:4, :, :2], INSIDE, axis=1)
    np.testing.assert_allclose(*near, rtol=0.02)


def test_a_shock_to_all_widens_what_all_are_told_and_moves_them_together() -> None:
    """Thirty series that jump up and down by the same tenth, beside a little noise of their own."""
    generator = np.random.default_rng(9)
    jumps = np.exp(0.1 * np.array([0, 1, -1, 1, -0.5, 1]))
    together = 300 * jumps * np.exp(generator.normal(0, 0.02, (30, 6)))
    calm = 300 * np.exp(generator.normal(0, 0.02, (30, 6)))
    forecasts = [forecast_series(values, 1, "positive") for values in (together, calm)]
    wide, narrow = (np.diff(one.quantile([0.1, 0.9]), axis=-1).mean() for one in forecasts)
    assert wide > 2 * narrow
    drawn = forecasts[0].paths(4000, 2)[:, :, 0]
    assert np.corrcoef(drawn)[0, 1:].mean() > 0.3
    portfolio = forecast_series(together, 1, "positive", groups=list(range(30)))
    assert abs(np.corrcoef(portfolio.paths(4000, 2)[:, :, 0])[0, 1:].mean()) < 0.03


def test_figures_move_towards_what_somebody_works_for() -> None:
    values = np.tile(wandering(1, 6), (3, 1))
    forecast = forecast_series(values, 2, "positive", groups=[1, 2, 3], towards=[-1, 0, 1])
    down, level, up = forecast.quantile(0.5)
    assert (down < level).all() and (level < up).all()
    # Neither interval is wider for it, on the scale on which it is forecast.
    spread = np.diff(np.sqrt(forecast.quantile([0.1, 0.9])), axis=-1)[..., 0]
    np.testing.assert_allclose(spread[0], spread[2], rtol=1e-9)


def test_a_headcount_moves_in_steps_and_by_no_chance_of_events() -> None:
    doctors = [[3.0, 3, 3, 3, 4, 4]]
    counted, decided = (
        forecast_series(doctors, 1, scale).quantile([0.1, 0.9])[0, 0]
        for scale in ("count", "headcount")
    )
    assert np.ptp(decided) < np.ptp(counted)
    assert (decided == np.rint(decided)).all() and decided[0] <= 4 <= decided[1]
    assert forecast_series([[1.0, 0, 1, 0]], 3, "headcount").quantile(0.01).min() >= 0


@pytest.mark.parametrize(("per_year", "readings"), [(1, 4), (1, 8), (4, 12)])
def test_eight_in_ten_fall_into_the_80_percent_interval(per_year: int, readings: int) -> None:
    """On series of a kind that no panel held: a wandering level with noise upon it."""
    generator = np.random.default_rng(per_year + readings)
    true = np.exp(np.cumsum(generator.normal(0.01, 0.06, (400, readings + 3)), axis=1))
    seen = 300 * true * np.exp(generator.normal(0, 0.04, true.shape))
    forecast = forecast_series(seen[:, :readings], 3, "positive", per_year=per_year)
    low, high = np.moveaxis(forecast.quantile([0.1, 0.9]), -1, 0)
    inside = ((seen[:, readings:] >= low) & (seen[:, readings:] <= high)).mean()
    assert 0.74 < inside < 0.88


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"scale": "percent"}, "series 0: a reading is no figure of the scale percent"),
        (
            {"readings": [[1, -2, 3], [1, 2, 3]]},
            "series 0: a reading is no figure of the scale positive",
        ),
        ({"readings": [[1, np.inf, 3]]}, "no figure of the scale positive"),
    ],
)
def test_what_cannot_be_forecast_is_refused(arguments: dict, says: str) -> None:
    arguments = {"readings": wandering(2, 6), "horizon": 2, "scale": "positive"} | arguments
    with pytest.raises(ValueError, match=says):
        forecast_series(**arguments)


def test_neighbours_that_never_move_make_nobody_certain() -> None:
    own = np.array([[300, 350, 280, 330, 310, 360.0, 290, 340]])
    alone = forecast_series(own, 1, "positive").quantile([0.025, 0.975])[0, 0]
    flat = np.vstack([own, np.full((19, 8), 50.0)])
    beside = forecast_series(flat, 1, "positive", groups=list(range(20))).quantile([0.025, 0.975])[
        0, 0
    ]
    assert np.ptp(beside) > 0.6 * np.ptp(alone)


def test_alternate_gaps_are_no_reason_to_warn(recwarn: pytest.WarningsRecorder) -> None:
    forecast = forecast_series([[1, np.nan, 2, np.nan, 3.0]], 2, "real")
    assert not np.isnan(forecast.quantile(0.5)).any()
    assert not recwarn.list
