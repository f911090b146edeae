"""The agreement's settings: what ``agreement.toml`` may say, section by section."""

from __future__ import annotations

from datetime import date
from functools import cached_property
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, Field, model_validator

from psa_analysis.periods import Period, parse_period
from psa_analysis.register.rows import filled

Words = Annotated[str, AfterValidator(filled)]
Year = Annotated[str, AfterValidator(lambda text: parse_period(text, "financial_year").label)]
Share = Annotated[float, Field(ge=0, le=1)]
ShareAboveZero = Annotated[float, Field(gt=0, le=1)]
Pounds = Annotated[float, Field(ge=0)]
NotStated = Literal["not stated"]
StatedPounds = Annotated[float, Field(gt=0, lt=1e15)] | NotStated
StatedNumber = Annotated[int, Field(gt=0)] | NotStated


class _Section(BaseModel, extra="forbid", frozen=True):
    """What no section names is refused."""


class _Agreement(_Section):
    name: Words
    council: Words
    area: Words
    first_year: Year
    last_year: Year

    @cached_property
    def begins(self) -> date:
        """The agreement's first day."""
        return parse_period(self.first_year).start

    @cached_property
    def last(self) -> Period:
        """The agreement's last year."""
        return parse_period(self.last_year)

    @model_validator(mode="after")
    def _in_order(self) -> _Agreement:
        if self.last.start < self.begins:
            raise ValueError("last_year not to come before first_year")
        return self


class _Calendar(_Section):
    cut_off_days: Annotated[int, Field(ge=0, le=366)] = 45


class StatesSection(_Section):
    """``[states]``: chances, or shares of the planned path, that divide the states."""

    on_track: ShareAboveZero = 0.6
    at_risk: Share = 0.25
    path_on_track: ShareAboveZero = 0.95
    path_at_risk: Share = 0.6

    @model_validator(mode="after")
    def _in_order(self) -> StatesSection:
        if self.at_risk > self.on_track:
            raise ValueError("at_risk to be no more than on_track")
        if self.path_at_risk > self.path_on_track:
            raise ValueError("path_at_risk to be no more than path_on_track")
        return self


class _Grant(_Section):
    trigger: ShareAboveZero = 0.6
    pot: StatedPounds = "not stated"
    targets: StatedNumber = "not stated"
    net_budget_requirement: StatedPounds = "not stated"
    share_of_budget: ShareAboveZero = 0.025
    population: StatedNumber = "not stated"
    pump_priming: Pounds = 750_000
    pump_priming_per_head: Pounds = 1
    instalments: Annotated[int, Field(ge=1, le=10)] = 2
    on_account: Share = 0.2
    capital_share: Share | NotStated = "not stated"

    @model_validator(mode="after")
    def _one_pot(self) -> _Grant:
        if "not stated" not in (self.pot, self.net_budget_requirement):
            raise ValueError("pot or net_budget_requirement, not both")
        return self


class _Disclosure(_Section):
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


class _Document(_Section):
    title: Words
    author: Words
    date: Words


class Settings(_Section):
    """``agreement.toml``, section by section."""

    agreement: _Agreement
    calendar: _Calendar = _Calendar()
    states: StatesSection = StatesSection()
    grant: _Grant = _Grant()
    disclosure: _Disclosure = _Disclosure()
    effectiveness: EffectivenessSection | None = None
    partners: dict[str, str] = {}
    themes: dict[str, str]
    objectives: dict[str, str] = {}
    topics: dict[str, list[str]] = {}
    documents: dict[str, _Document] = {}
