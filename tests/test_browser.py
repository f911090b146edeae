"""Every page of both packs in a real browser: accessibility, keyboard, narrow screens and paper."""

import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright
from pypdf import PdfReader

from psa_analysis.pipeline import ROOT
from psa_analysis.report import AUDIENCES

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
pytestmark = pytest.mark.skipif(
    CHROMIUM is None,
    reason="no Chromium on this machine, so no page was tried in a browser; on Debian: "
    "apt-get install chromium",
)
NAMES = [*sorted(path.stem for path in (ROOT / "notebooks").glob("0*.ipynb")), "index"]
Open = Callable[..., Page]
PackOf = Callable[[str], Path]
EVERY_PAGE = pytest.mark.parametrize(
    ("audience", "name"), [(audience, name) for audience in AUDIENCES for name in NAMES]
)
#: Levels A and AA of the Web Content Accessibility Guidelines 2.2, as axe-core names their rules.
WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM)
        yield started
        started.close()


@pytest.fixture
def opened(browser: Browser, pack_of: PackOf) -> Iterator[Open]:
    """Open a page of a pack; whatever it asks of anything but its own file fails the test."""
    context = browser.new_context()
    page = context.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: asked.append(str(error)))

    def open_page(audience: str, name: str, width: int = 1280, scheme: str = "light") -> Page:
        page.set_viewport_size({"width": width, "height": 800})
        page.emulate_media(color_scheme=scheme)
        page.goto((pack_of(audience) / f"{name}.html").as_uri())
        return page

    yield open_page
    beyond = [url for url in asked if not url.startswith(("file:", "data:image/svg+xml,"))]
    context.close()
    assert beyond == []
    assert sum(url.startswith("file:") for url in asked) >= 1


def unfold(page: Page) -> None:
    page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")


@EVERY_PAGE
def test_no_rule_of_accessibility_is_broken(opened: Open, audience: str, name: str) -> None:
    page = opened(audience, name)
    unfold(page)
    # Both audiences have one style: one's pages are tried in all looks, the other's in one.
    for width, scheme in [(320, "dark"), (1280, "light")][: 2 - AUDIENCES.index(audience)]:
        page.set_viewport_size({"width": width, "height": 800})
        page.emulate_media(color_scheme=scheme)
        # Of what passes the first node will do: to describe all takes as long as the rules.
        options = {"runOnly": WCAG, "resultTypes": ["violations"]}
        result = Axe().run(page, options=options).response
        assert len(result["passes"]) > 10, "the rules did not run"
        broken = [(one["id"], one["nodes"][0]["html"][:200]) for one in result["violations"]]
        assert broken == [], f"{width} pixels, {scheme}"


@EVERY_PAGE
def test_a_page_says_what_it_is_and_its_pictures_show(
    opened: Open, audience: str, name: str
) -> None:
    page = opened(audience, name)
    assert page.locator("h1").count() == 1
    for word in (page.locator("h1").inner_text(), "2004-05 Q3", "Leicestershire Local Public"):
        assert word in page.title()
    for landmark in ("header", "main", "footer"):
        assert page.locator(f"body > {landmark}").count() == 1
    assert f"{audience.capitalize()} report" in page.locator("main").inner_text()
    broken = "[...document.images].filter(one => !one.complete || !one.naturalWidth).length"
    assert page.evaluate(broken) == 0
    # A chart has its numbers below it.
    bare = page.evaluate(
        """[...document.querySelectorAll('figure:has(> img)')]
             .filter(one => !one.nextElementSibling?.matches('details, .scroll'))
             .map(one => one.firstElementChild.alt)"""
    )
    assert bare == []
    levels = page.evaluate("[...document.querySelectorAll('h1,h2,h3,h4')].map(h => +h.tagName[1])")
    assert all(after <= before + 1 for before, after in pairwise(levels))
    anchors = page.evaluate("[...document.querySelectorAll('.contents a')].map(a => a.hash)")
    headings = page.evaluate(
        "[...document.querySelectorAll('main h2[id]:not(nav *)')].map(h => '#' + h.id)"
    )
    assert anchors == ([] if name == "index" else headings)


@pytest.mark.parametrize("audience", AUDIENCES)
def test_a_pack_is_short_enough_to_be_read(opened: Open, audience: str) -> None:
    """At most 10,000 words outside folded tables, 40 stops of the Tab key and 400 kB a page."""
    words = 0
    for name in NAMES:
        page = opened(audience, name)
        height = page.evaluate("document.documentElement.scrollHeight")
        measures = page.locator("main h3[id]").count()
        if name == "00_overview":
            assert height <= 6000
        elif measures:
            # What every theme begins and ends with is as high as a measure.
            assert height <= 1300 * (measures + 1), name
        stops = "[...document.querySelectorAll('a[href], summary, [tabindex]')]"
        assert page.evaluate(f"{stops}.filter(one => one.checkVisibility()).length") <= 40, name
        assert len(page.content().encode()) < 400_000, name
        page.evaluate("document.querySelectorAll('details table').forEach(one => one.remove())")
        unfold(page)
        words += len(page.locator("body").inner_text().split())
    assert words <= 10_000


@pytest.mark.parametrize("name", ["00_overview", "index"])
def test_sentences_for_the_board_are_short(opened: Open, name: str) -> None:
    texts = opened("internal", name).locator("main :is(p, li, dd)").all_inner_texts()
    sentences = [part for text in texts for part in re.split(r"(?<=[.!?:;])\s+", text)]
    assert len(sentences) > 20
    assert [sentence for sentence in sentences if len(sentence.split()) > 25] == []


@EVERY_PAGE
def test_the_keyboard_reaches_everything_in_order_and_shows_where_it_is(
    opened: Open, audience: str, name: str
) -> None:
    page = opened(audience, name)
    unfold(page)
    stops = page.evaluate(
        """() => {
          const stops = [...document.querySelectorAll('a[href], summary, .scroll, pre[tabindex]')];
          const shown = stops.filter(one => one.checkVisibility());
          shown.forEach((one, number) => one.dataset.stop = number);
          return shown.length;
        }"""
    )
    assert stops > 2
    reached = []
    for _ in range(stops + 1):
        page.keyboard.press("Tab")
        reached.append(
            page.evaluate(
                """() => {
                  const here = document.activeElement, style = getComputedStyle(here);
                  const ring = style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2;
                  return here === document.body ? null : [here.dataset.stop, ring];
                }"""
            )
        )
    # After the last stop the browser has the focus again.
    assert reached == [*([str(number), True] for number in range(stops)), None]


@EVERY_PAGE
def test_nothing_scrolls_sideways_on_a_narrow_screen_but_wide_tables(
    opened: Open, audience: str, name: str
) -> None:
    page = opened(audience, name, width=320)
    unfold(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
    beyond = page.evaluate(
        """[...document.querySelectorAll('body *')]
             .filter(one => !one.closest('.scroll table') && one.checkVisibility())
             .filter(one => one.getBoundingClientRect().right > 320.5)
             .map(one => one.outerHTML.slice(0, 120))"""
    )
    assert beyond == []
    page.set_viewport_size({"width": 1280, "height": 800})
    broken = page.evaluate(
        """[...document.querySelectorAll('.state')].filter(one => one.getClientRects().length > 1)
             .map(one => one.innerText)"""
    )
    assert broken == [], "a state is broken over lines"


@EVERY_PAGE
def test_a_phone_shows_charts_as_large_as_they_can_be_read(
    browser: Browser, pack_of: PackOf, audience: str, name: str
) -> None:
    context = browser.new_context(
        viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True
    )
    page = context.new_page()
    page.goto((pack_of(audience) / f"{name}.html").as_uri())
    widths = page.evaluate(
        "[...document.querySelectorAll('figure > img')].map(i => i.getBoundingClientRect().width)"
    )
    assert all(width >= 570 for width in widths)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    # Whoever reads on at the right of a table still sees which row it is.
    stay = page.evaluate(
        """[...document.querySelectorAll('.scroll')]
             .filter(one => one.checkVisibility() && one.scrollWidth > one.clientWidth)
             .map(one => {
               one.scrollLeft = 100;
               const head = one.querySelector('tbody th').getBoundingClientRect();
               return Math.abs(head.left - one.getBoundingClientRect().left) < 1;
             })"""
    )
    context.close()
    assert all(stay)


@pytest.fixture(scope="module")
def printed(pack_of: PackOf, tmp_path_factory: pytest.TempPathFactory) -> PackOf:
    """The pages as PDF, made by what docs/pdf.md says; in a copy, for the pack is others' too."""
    made: dict[str, Path] = {}

    def printing(audience: str) -> Path:
        if audience not in made:
            folder = tmp_path_factory.mktemp("printed")
            shutil.copytree(pack_of(audience), folder / "outputs" / "2004-05-Q3")
            text = (ROOT / "docs" / "pdf.md").read_text()
            script = re.findall(r"```python\n(.*?)```", text, re.DOTALL)[0]
            script = script.replace("/usr/bin/chromium", str(CHROMIUM))
            subprocess.run([sys.executable, "-c", script], cwd=folder, check=True, timeout=300)
            made[audience] = folder / "outputs" / "2004-05-Q3"
        return made[audience]

    return printing


def lines_of(text: str, title: str, number: str) -> list[str]:
    """The lines of a printed page in the page's own order, without what stands in its margin."""
    lines = (" ".join(line.split()) for line in text.splitlines())
    return [line for line in lines if line and line not in title and number not in line]


@EVERY_PAGE
def test_printed_pages_are_tagged_and_whole(
    opened: Open, printed: PackOf, audience: str, name: str
) -> None:
    reader = PdfReader(printed(audience) / f"{name}.pdf")
    root = reader.trailer["/Root"]
    assert root["/MarkInfo"]["/Marked"].value is True
    assert "/StructTreeRoot" in root
    assert root["/Lang"] == "en-GB"
    assert reader.outline
    page = opened(audience, name)
    assert reader.metadata is not None
    assert reader.metadata.title == page.title()
    headings = page.evaluate(
        "[...document.querySelectorAll('h2,h3,caption')].map(h => h.innerText)"
    )
    ends = {" ".join(heading.split()) for heading in headings}
    for number, sheet in enumerate(reader.pages, start=1):
        assert [round(float(side)) for side in sheet.mediabox[2:]] == [595, 842]
        text, place = sheet.extract_text(), f"{number} of {len(reader.pages)}"
        assert place in text
        lines = lines_of(text, page.title(), place)
        pictures = "/XObject" in sheet["/Resources"] or len(sheet.get_contents().get_data()) > 20000
        assert lines or pictures, f"sheet {number} is blank"
        if lines and number < len(reader.pages):
            assert lines[-1] not in ends, f"sheet {number} ends in a heading"
