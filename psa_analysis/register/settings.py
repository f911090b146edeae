"""The agreement's settings: what ``agreement.toml`` may say, section by section."""

from __future__ import annotations

from datetime import date
from functools import cached_property
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    model_validator,
)

from psa_analysis.periods import Period, parse_period

Words = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
FinancialYear = Annotated[
    str, AfterValidator(lambda text: parse_period(text, "financial_year").label)
]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class AgreementSection(_Section):
    """``[agreement]``: whose it is and when it runs."""

    name: Words
    council: Words
    area: Words
    first_year: FinancialYear
    last_year: FinancialYear

    @cached_property
    def begins(self) -> date:
        """The agreement's first day."""
        return parse_period(self.first_year).start

    @cached_property
    def last(self) -> Period:
        """The agreement's last year."""
        return parse_period(self.last_year)

    @model_validator(mode="after")
    def _in_order(self) -> AgreementSection:
        if self.last.start < self.begins:
            raise ValueError("expected last_year not to come before first_year")
        return self


class CalendarSection(_Section):
    """``[calendar]``: when a period's report is made."""

    cut_off_days: Annotated[int, Field(ge=0, le=366)] = 45


class StatesSection(_Section):
    """``[states]``: what divides the states.

    Chances of the target; and, where there are too few readings for a forecast, shares of the
    improvement that the planned path asks for.
    """

    on_track: Annotated[float, Field(gt=0, le=1)] = 0.6
    at_risk: Annotated[float, Field(ge=0, le=1)] = 0.25
    path_on_track: Annotated[float, Field(gt=0, le=1)] = 0.95
    path_at_risk: Annotated[float, Field(ge=0, le=1)] = 0.6

    @model_validator(mode="after")
    def _in_order(self) -> StatesSection:
        if self.at_risk > self.on_track:
            raise ValueError("expected at_risk to be no more than on_track")
        if self.path_at_risk > self.path_on_track:
            raise ValueError("expected path_at_risk to be no more than path_on_track")
        return self


class GrantSection(_Section):
    """``[grant]``: the reward grant; what is left out is as in first-generation agreements."""

    trigger: Annotated[float, Field(gt=0, le=1)] = 0.6
    net_budget_requirement: Annotated[float, Field(gt=0)] | Literal["not stated"] = "not stated"
    share_of_budget: Annotated[float, Field(gt=0, le=1)] = 0.025
    population: Annotated[int, Field(gt=0)] | Literal["not stated"] = "not stated"
    pump_priming: Annotated[float, Field(ge=0)] = 750_000
    pump_priming_per_head: Annotated[float, Field(ge=0)] = 1
    instalments: Annotated[int, Field(ge=1, le=10)] = 2
    on_account: Annotated[float, Field(ge=0, le=1)] = 0.2
    capital_share: Annotated[float, Field(ge=0, le=1)] | Literal["not stated"] = "not stated"


class DisclosureSection(_Section):
    """``[disclosure]``: which counts are small, and so not shown in public reports."""

    threshold: Annotated[int, Field(ge=0, le=100)] = 5
    smallest_denominator: Annotated[int, Field(ge=0, le=1000)] = 10
    show_zeros: bool = False


class EffectivenessSection(_Section):
    """``[effectiveness]``: what an index of cost-effectiveness is made from, with baskets.csv."""

    index: str
    net_budget: str
    deflator: str
    deflator_area: str
    components: Literal["net budget", "equal"]

    def measures(self) -> dict[str, str]:
        """The measures that it names, by setting."""
        return {"index": self.index, "net_budget": self.net_budget, "deflator": self.deflator}


class DocumentSection(_Section):
    """``[documents.X]``: a document that figures are cited to."""

    title: Words
    author: Words
    date: Words


class Settings(_Section):
    """``agreement.toml``, section by section."""

    agreement: AgreementSection
    calendar: CalendarSection = CalendarSection()
    states: StatesSection = StatesSection()
    grant: GrantSection = GrantSection()
    disclosure: DisclosureSection = DisclosureSection()
    effectiveness: EffectivenessSection | None = None
    partners: dict[str, str] = {}
    themes: dict[str, str]
    objectives: dict[str, str] = {}
    topics: dict[str, list[str]] = {}
    documents: dict[str, DocumentSection] = {}
