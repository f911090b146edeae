"""The record that a quarter's pages show."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cached_property, wraps
from typing import TYPE_CHECKING, Any, TypeVar, cast

import pandas as pd

from psa_analysis.analysis.trajectory import planned_path
from psa_analysis.findings import Finding, did_you_mean
from psa_analysis.periods import Period, period_containing
from psa_analysis.words import NOT_SHOWN, day_text, decimals_apart

if TYPE_CHECKING:
    from psa_analysis.analysis.effectiveness import CostEffectiveness
    from psa_analysis.analysis.outlook import Outlook
    from psa_analysis.register.agreement import Agreement

AUDIENCES = ("internal", "public")

#: What a row of :meth:`Report.tidy` is of, and what it says of its measure.
_TIDY = ["measure", "area", "period", "period_end"]
_OF_MEASURE = ["reference", "title", "unit", "polarity", "baseline", "target", "due"]

F = TypeVar("F", bound=Callable[..., Any])


def memoised(function: F) -> F:
    """The same function, whose results are kept with the report that they were worked out from."""

    @wraps(function)
    def wrapper(report: Report, /, *args: Any, **kwargs: Any) -> Any:
        key = (f"{function.__module__}.{function.__qualname__}", args, tuple(kwargs.items()))
        if key not in report.results:
            report.results[key] = function(report, *args, **kwargs)
        result = report.results[key]
        # Whoever changes a frame changes their own; nothing is copied until then.
        return result.copy(deep=False) if isinstance(result, pd.DataFrame) else result

    return cast("F", wrapper)


@dataclass(frozen=True, repr=False, eq=False)
class Report:
    """Everything that the pages of one reporting period show; equal to itself alone.

    Do not change its frames: results made from them are kept. Use ``dataclasses.replace``.
    """

    agreement: Agreement
    period: Period  # the reporting period, a quarter
    cut_off: date  # figures received later are left out
    audience: str  # whom the pages are for, one of AUDIENCES
    observations: pd.DataFrame  # every clean observation, all vintages
    known: pd.DataFrame  # the newest vintage of each that had come in by the cut-off
    readings: pd.DataFrame  # the readings that count, from what was known
    outlooks: dict[str, Outlook]  # the forecast of each measure, or why there is none
    assessment: pd.DataFrame  # one row per measure
    effectiveness: CostEffectiveness  # empty if the register has no baskets
    commitments: pd.DataFrame  # one row per commitment of the strategy
    sources: pd.DataFrame  # the data log: one row per raw file, from its sidecar
    findings: tuple[Finding, ...]  # what is wrong or doubtful in the returns
    commentary: pd.DataFrame  # what people wrote, for every report
    report_at: Callable[[Report, Period], Report]  # the report of another period, same data
    record_of: Callable[[Report], pd.DataFrame]  # what makes its record
    #: The figures that a public report does not hold, since they are small; else empty.
    withheld: pd.DataFrame = field(default_factory=pd.DataFrame)
    theme: str | None = None  # that a page is about; None where it is about all of them
    results: dict[Any, Any] = field(init=False, default_factory=dict)  # of memoised functions

    @cached_property
    def before(self) -> Report | None:
        """The report of the quarter before; None in the agreement's first quarter and earlier."""
        if self.period.start <= self.agreement.settings.agreement.begins:
            return None
        day_before = self.period.start - timedelta(days=1)
        return self.report_at(self, period_containing(day_before, "quarter"))

    @cached_property
    def record(self) -> pd.DataFrame:
        """What reports of earlier quarters forecast, a row for each reading that came since."""
        return self.record_of(self)

    @cached_property
    def rows(self) -> dict[str, pd.Series]:
        """The assessment's rows, by measure."""
        shown = self.assessment.assign(decimals=self.assessment["measure"].map(self.decimals))
        return {str(row["measure"]): row for _, row in shown.iterrows()}

    @cached_property
    def area_readings(self) -> pd.DataFrame:
        """The agreement's own readings up to the reporting period, oldest first."""
        of_area = self.readings["area"] == self.agreement.settings.agreement.area
        ended = self.readings["period_end"] <= pd.Timestamp(self.period.end)
        return self.readings[of_area & ended].sort_values("period_end", kind="stable")

    @cached_property
    def decimals(self) -> dict[str, int]:
        """The decimals of each measure's figures; more where a miss would look like its target."""
        found = self.agreement.measures["decimals"].to_dict()
        for name, row in self.agreement.measures[["target", "polarity", "unit"]].iterrows():
            readings = own_readings(self, str(name))["reading"]
            better = 1 if row["polarity"] == "higher" else -1
            for missed in readings[better * (row["target"] - readings) > 1e-9]:
                found[name] = decimals_apart(missed, row["target"], row["unit"], found[name])
        return found

    def measures(self) -> list[str]:
        """The measures that are assessed, of the report's theme if it has one."""
        return of_theme(self, self.theme)["measure"].tolist()

    def tidy(self) -> pd.DataFrame:
        """The readings and forecasts of every measure, area and period, with all that they need.

        One row each, as known at the cut-off; ``planned`` is of the agreement's own area alone.
        Start here: ``observations`` holds every version of each figure, so that a mean of it would
        mix first figures with revised ones.
        """
        area, measures = self.agreement.settings.agreement.area, self.agreement.measures
        columns = [*_TIDY, "reading", "lower", "upper", "flag", "illustrative"]
        ended = self.readings["period_end"] <= pd.Timestamp(self.period.end)
        frames = [self.readings.loc[ended, columns]]
        forecast = ["forecast", "low_80", "high_80"]
        for name, row in self.rows.items():
            if not self.outlooks[name].reason:
                fan = self.outlooks[name].fan().rename(columns={"median": "forecast"})
                fan = fan.assign(measure=name, area=area, illustrative=row["illustrative"])
                frames.append(fan[[*_TIDY, *forecast, "illustrative"]])
        # A due reading that is still provisional has a forecast of what it will become.
        table = pd.concat(frames).groupby(_TIDY, as_index=False).first()
        table = table.reindex(columns=[*frames[0], *forecast, "planned"])
        table = table.join(measures[_OF_MEASURE], on="measure")
        table.insert(1, "theme", table["reference"].map(self.agreement.targets["theme"]))
        for name, rows in table[table["area"] == area].groupby("measure"):
            table.loc[rows.index, "planned"] = planned_path(measures.loc[name], rows["period_end"])
        return table.sort_values(["measure", "area", "period_end"], ignore_index=True)

    def __repr__(self) -> str:
        known = f"{self.audience}; figures received by {day_text(self.cut_off)}"
        return f"{self.agreement.settings.agreement.name}, {self.period} ({known})"


def of_theme(report: Report, theme: str | None) -> pd.DataFrame:
    """The assessment's rows of one theme, or all of them."""
    if theme is None:
        return report.assessment
    if theme not in report.agreement.settings.themes:
        known = ", ".join(report.agreement.settings.themes)
        raise KeyError(f"there is no theme '{theme}'; the agreement has {known}")
    return report.assessment[report.assessment["theme"] == theme]


def assessment_row(report: Report, measure: str) -> pd.Series:
    """The assessment of one measure; a KeyError names the nearest one if there is no such."""
    if measure in report.rows:
        return report.rows[measure]
    known, nearest = ", ".join(report.rows), did_you_mean(str(measure), list(report.rows))
    raise KeyError(f"there is no measure '{measure}'; the assessment has {known}. {nearest}")


def own_readings(report: Report, measure: str) -> pd.DataFrame:
    """The agreement's own readings of one measure up to the reporting period, oldest first."""
    return report.area_readings[report.area_readings["measure"] == measure]


def readings_with_path(report: Report, measure: str) -> pd.DataFrame:
    """The readings of one measure up to the reporting period, with the planned path beside them."""
    own = own_readings(report, measure)
    own = own[own["reading"].notna()].reset_index(drop=True)
    definition = report.agreement.measures.loc[measure]
    return own.assign(planned=planned_path(definition, own["period_end"]))


def readings_not_shown(report: Report, measure: str) -> pd.DataFrame:
    """The readings of one measure, up to the reporting period, that a public report holds back."""
    own = own_readings(report, measure)
    return own[own["missing"] == NOT_SHOWN].reset_index(drop=True)
