"""The page of an executed notebook: one file that needs nothing else, whole and accessible."""

import re
from dataclasses import dataclass
from functools import lru_cache
from html import unescape
from importlib.metadata import version
from itertools import chain, count
from pathlib import Path
from typing import Any

from psa_analysis.report import Report
from psa_analysis.show.chart import picture_address
from psa_analysis.show.tables import TEMPLATES, render
from psa_analysis.words import day_text


@dataclass(frozen=True)
class Job:
    """A notebook that is to become a page."""

    source: Path  # the notebook
    executed: Path  # the executed notebook, which stands beside its page
    report: bytes  # the run's, pickled once for all its notebooks
    parameters: dict[str, str]


@dataclass(frozen=True)
class Page:
    """What became of one notebook."""

    notebook: str  # file name
    title: str  # its heading
    status: str  # "done" if it ran to its end, or "failed"
    html: str | None  # file name of the exported page, if there is one
    cell: int | None  # number of the cell that failed, as Jupyter counts executions
    error: str | None  # what went wrong, on one line
    seconds: float  # time that execution and export took


def heading(notebook: Any) -> str | None:
    """The text of a notebook's first heading."""
    texts = [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]
    found = re.search(r"^# (.*\S)", "\n".join(texts), re.MULTILINE)
    return found[1] if found else None


def export(notebook: Any, title: str, report: Report) -> str:
    """The page of an executed notebook: no code, and nothing from the network."""
    from nbconvert.exporters import TemplateExporter

    # HTMLExporter's own way parses the page again, to describe pictures that have no description;
    # the template does so, in half the time.
    body, _ = TemplateExporter.from_notebook_node(exporter(), notebook)
    name = report.agreement.settings.agreement.name
    return whole_page(f"{title}, {report.period}: {name}", str(body), report)


@lru_cache
def exporter() -> Any:
    """The exporter; made once, since its templates take longer than a page."""
    # Here, since the front page needs none, and the library is a large one.
    from nbconvert import HTMLExporter

    html_exporter = HTMLExporter(
        template_name="pack", extra_template_basedirs=[str(TEMPLATES)], exclude_anchor_links=True
    )
    html_exporter.register_filter("picture", picture_address)
    return html_exporter


def whole_page(title: str, body: str, report: Report, front: bool = False) -> str:
    """A whole page around its body: title, landmarks, list of contents, footer."""
    body, contents = _anchored(_folded(_breakable(body)))
    agreement = report.agreement.settings.agreement
    imprint = f"Figures received by {day_text(report.cut_off)}. Made with psa_analysis"
    # The answer comes first: what stands below the first heading, then the list of contents.
    lead, first, *rest = [*re.split(r"(?=<h2)", body), ""]
    return render(
        "page",
        title=title,
        printed_title=css_text(title),
        front=front,
        style=(TEMPLATES / "style.css").read_text(encoding="utf-8").rstrip(),
        council=agreement.council,
        agreement=agreement.name,
        lead=lead + first,
        contents=contents,
        body="".join(rest),
        footer=f"{agreement.council}. {imprint} {version('psa_analysis')}.",
    )


def _folded(body: str) -> str:
    """The body with what only some readers need folded: a measure's further views, tagged cells."""
    sections = re.split(r"(?=<h[23])", body)
    for place, section in enumerate(sections):
        shown = re.match(r"<h3 id=.*?<figure><img.*?</figure>\s*", section, re.DOTALL)
        if shown and (rest := section[shown.end() :]):
            titles = ", ".join([*re.findall("<h4>(.*?)</h4>", rest), "sources"])
            more = f"<details><summary>More: {titles}</summary>\n{rest}</details>\n"
            sections[place] = shown[0] + more
    tagged = r'<h2 class="folded">(.*?)</h2>(.*?)(?=<h2|\Z)'
    folded = r"<details><summary><h2>\1</h2></summary>\n\2</details>\n"
    return re.sub(tagged, folded, "".join(sections), flags=re.DOTALL)


def _breakable(body: str) -> str:
    """The body with places at which long paths may break, or one would widen its whole column."""

    def broken(text: re.Match[str]) -> str:
        long_path = r"[\w./:-]{16,}"
        return re.sub(long_path, lambda path: re.sub("[/_]", r"\g<0><wbr>", path[0]), text[0])

    # Text alone: tags hold whole pictures.
    return re.sub(r"(?<=>)[^<>]+(?=<)", broken, body)


def _anchored(body: str) -> tuple[str, list[tuple[str, str]]]:
    """The body with an anchor at each second heading, and the anchors with their texts."""
    # Made of the heading's words, so that links outlast other changes. Two are the page's own.
    taken = {"content": "", "contents": ""}

    def anchor(match: re.Match[str]) -> str:
        text = re.sub(r"<[^>]*>", "", match[1]).strip()
        words = re.sub(r"[^a-z0-9]+", "-", unescape(text).lower()).strip("-") or "part"
        names = chain([words], (f"{words}-{number}" for number in count(2)))
        name = next(name for name in names if name not in taken)
        taken[name] = text
        return f'<h2 id="{name}">{match[1]}</h2>'

    body = re.sub(r"<h2>(.*?)</h2>", anchor, body, flags=re.DOTALL)
    return body, [*taken.items()][2:]


def css_text(text: str) -> str:
    """A string of a style sheet; nothing in it can end the string or the style."""
    return '"' + re.sub(r"[^\w ,.:]", lambda match: f"\\{ord(match[0]):x} ", text) + '"'
