"""Whole values that hidden figures can have, given equations: linear and integer programmes."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import numpy as np
from scipy.optimize import LinearConstraint, linprog, milp

#: A figure: measure, area, period, the day it came in (empty if it did not), and which of its
#: three numbers; and figures that are added up, each with what it is multiplied by.
Figure = tuple[str, str, str, str, str]
Form = dict[Figure, float]


class Row(NamedTuple):
    """A sum that lies between two numbers, and where that stands."""

    form: Form
    low: float
    high: float
    text: str


def total(form: Form, figures: dict[Figure, float]) -> float:
    return sum(times * figures.get(figure, 0) for figure, times in form.items())


@dataclass
class Equations:
    """What is known of figures, as far as it is true."""

    truth: dict[Figure, float]
    known: dict[Figure, float] = field(default_factory=dict)
    rows: dict[object, Row] = field(default_factory=dict)

    def add(self, form: Form, low: float, high: float, text: str) -> None:
        """Note that a sum lies between two numbers, unless that is not true."""
        if form.keys() <= self.truth.keys():
            slack = 1e-7 * max(1.0, *map(abs, form.values()))
            if not low - slack <= total(form, self.truth) <= high + slack:
                return
        key = frozenset(form.items()), round(low, 7), round(high, 7)
        self.rows.setdefault(key, Row(form, low, high, text))

    def components(self) -> list[Solver]:
        """The equations without what is known, those that share unknown figures together."""
        leader: dict[Figure, Figure] = {}

        def find(figure: Figure) -> Figure:
            while leader.setdefault(figure, figure) != figure:
                figure = leader[figure]
            return figure

        rows = []
        for form, low, high, text in self.rows.values():
            if unknown := {figure: form[figure] for figure in form if figure not in self.known}:
                shown = total(form, self.known)
                rows.append(Row(unknown, low - shown, high - shown, text))
                for figure in unknown:
                    leader[find(figure)] = find(next(iter(unknown)))
        groups = defaultdict(list)
        for row in rows:
            groups[find(next(iter(row.form)))].append(row)
        return [Solver(group) for group in groups.values()]


@dataclass
class Solver:
    """Equations of unknown figures, each a whole number that is not below 0."""

    rows: list[Row]
    solutions: list[np.ndarray] = field(default_factory=list)  # found so far

    @cached_property
    def place(self) -> dict[Figure, int]:
        """The column of each unknown figure."""
        figures = dict.fromkeys(figure for row in self.rows for figure in row.form)
        return {figure: number for number, figure in enumerate(figures)}

    @cached_property
    def matrix(self) -> np.ndarray:
        """A row for each equation."""
        return np.array([self.vector(row.form) for row in self.rows])

    def vector(self, form: Form) -> np.ndarray:
        """What each unknown figure is multiplied by in a sum."""
        vector = np.zeros(len(self.place))
        for figure, times in form.items():
            vector[self.place[figure]] = times
        return vector

    def _ends(self, aim: np.ndarray) -> list[float]:
        """The least and the most that a sum can be, whole or not."""
        low, high = (np.array(ends) for ends in list(zip(*self.rows, strict=True))[1:3])
        equal, limits = high - low < 1e-12, np.r_[high, -low]
        use = np.isfinite(limits) & ~np.r_[equal, equal]
        sides = np.r_[self.matrix, -self.matrix][use], limits[use]
        found = []
        for sign in (1, -1):
            solved = linprog(sign * aim, *sides, self.matrix[equal], low[equal], method="highs")
            found.append(sign * solved.fun if solved.status == 0 else -sign * np.inf)
        return found

    def _can_be(self, aim: np.ndarray, value: float) -> bool:
        if any(round(aim @ solution) == value for solution in self.solutions):
            return True
        low, high = list(zip(*self.rows, strict=True))[1:3]
        rows = LinearConstraint(np.r_[self.matrix, [aim]], [*low, value], [*high, value])
        solved = milp(0 * aim, constraints=rows, integrality=np.ones(len(aim)))
        if solved.status == 0:
            self.solutions.append(np.rint(solved.x))
        return bool(solved.status == 0)

    def values(self, form: Form, near: float | None, needed: int) -> list[int]:
        """Whole values that a sum can have: all of them, or as many as are needed."""
        aim = self.vector(form)
        low, high = self._ends(aim)
        if near is None:
            near = next(filter(np.isfinite, (low, high)), 0.0)
        first = max(np.ceil(low - 1e-6), np.floor(near) - 200)
        last = min(np.floor(high + 1e-6), np.ceil(near) + 200)
        found: list[int] = []
        for value in sorted(np.arange(first, last + 1), key=lambda each: abs(each - near)):
            if len(found) < needed and self._can_be(aim, value):
                found.append(int(value))
        return sorted(found)

    def reasons(self, form: Form, near: float | None, needed: int) -> list[str]:
        """The equations without any of which more values would be possible."""
        rows = self.rows if len(self.rows) <= 40 else []
        for row in list(rows):
            fewer = Solver([each for each in rows if each is not row])
            if form.keys() <= fewer.place.keys() and len(fewer.values(form, near, needed)) < needed:
                rows = fewer.rows
        return list(dict.fromkeys(row.text for row in rows))
