"""Headings: what the columns of a return are called, by us and by those who send it."""

from __future__ import annotations

import re

#: Fields of a return, with the headings that stand for each. The first five must be known.
FIELDS: dict[str, tuple[str, ...]] = {
    "measure": ("measure", "indicator", "pi", "reference", "ref", "measure id"),
    "area": ("area", "district", "authority", "local authority", "council"),
    "period": ("period", "quarter", "year", "financial year", "reporting period"),
    "value": ("value", "figure", "actual", "result", "outturn"),
    "received": ("received", "date received"),
    "numerator": ("numerator", "number", "top"),
    "denominator": ("denominator", "out of", "base"),
    "flag": ("flag", "status"),
    "illustrative": ("illustrative",),
    "note": ("note", "notes", "comment", "comments"),
}
#: The field that each heading stands for.
FIELD_OF = {heading: field for field, headings in FIELDS.items() for heading in headings}
#: Headings of our own template that only help whoever fills it in.
HELP = {"what is measured", "unit", "last value", "last period", "definition", "title"}


def plain_heading(text: str) -> str:
    """A heading without capitals, signs and spare spaces, as :data:`FIELD_OF` has it."""
    return " ".join(re.sub(r"[^a-z0-9 ]", " ", text.casefold()).split())
