"""The run, whole: in a temporary folder, from another one, with notebooks that fail."""

import json
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote

import nbformat
import pandas as pd
import pytest
from builders import Tags, psa, psa_run
from hypothesis import given
from hypothesis import strategies as st
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from psa_analysis.files import checksum
from psa_analysis.findings import DataError, ParameterError
from psa_analysis.packs.page import css_text, export, picture_address
from psa_analysis.pipeline import ROOT, open_report
from psa_analysis.report import Report

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
#: Every theme has a notebook of its own, so the general one makes no page.
PAGES = [path.stem for path in NOTEBOOKS if path.stem != "theme"]


@pytest.fixture(scope="module")
def pack(pack_of: Callable[[str], Path]) -> Path:
    """The pack for the council itself."""
    return pack_of("internal")


def test_the_pack_is_complete(pack: Path) -> None:
    names = {path.name for path in pack.iterdir()}
    pages = {f"{name}{ending}" for name in PAGES for ending in (".ipynb", ".html")}
    tables = {"assessment.csv", "assessment.parquet", "commitments.csv", "2004-05-Q3.xlsx"}
    assert names == pages | tables | {"index.html", "manifest.json"}
    made = pd.read_csv(pack / "assessment.csv")
    assert made["measure"].tolist()[0] == "N2"
    assert len(made) == 24
    assert len(pd.read_csv(pack / "commitments.csv")) == 54


def test_the_manifest_says_what_the_pack_was_made_from(pack: Path) -> None:
    manifest = json.loads((pack / "manifest.json").read_text())
    assert manifest["status"] == "done"
    assert manifest["cut_off"] == "2005-02-14"
    given = {"period": "2004-05 Q3", "data": "data", "audience": "internal"}
    assert manifest["parameters"] == given
    for name, digest in manifest["inputs"].items():
        root = ROOT if name.startswith("notebooks/") else ROOT / "data"
        assert checksum(root / name) == digest
    raw = [path for path in (ROOT / "data" / "raw").rglob("*") if path.is_file()]
    assert len(manifest["inputs"]) == len(raw) + len(NOTEBOOKS)
    assert {page["status"] for page in manifest["pages"]} == {"done"}
    assert manifest["versions"]["pandas"] == pd.__version__


def test_no_page_asks_anything_of_the_network_or_loses_its_alternative_text(pack: Path) -> None:
    pages = sorted(pack.glob("*.html"))
    assert len(pages) == len(PAGES) + 1
    for page in pages:
        html = page.read_text(encoding="utf-8")
        parsed = Tags(html)
        tags = [tag for tag, _ in parsed.tags]
        assert tags.count("h1") == tags.count("title") == tags.count("main") == 1, page.name
        assert not {"script", "link", "iframe", "object", "embed"} & set(tags), page.name
        # Pictures are looked into below.
        assert not re.search(r"@import|url\(", re.sub(r'src="data:[^"]*"', "", html)), page.name
        for tag, attributes in parsed.tags:
            for name in ("src", "href", "srcset", "action"):
                target = attributes.get(name, "")
                assert not re.match(r"(?i)\s*(https?:|//|file:)", target), (page.name, tag, target)
            if tag == "a":
                name, _, anchor = attributes["href"].partition("#")
                there = pack / name if name else page
                assert there.exists(), (page.name, name)
                assert not anchor or f'id="{anchor}"' in there.read_text(), (page.name, anchor)
            if tag == "img":
                # The small pictures of the scorecard repeat what their row says.
                small = attributes["alt"] == "" and 'class="scorecard"' in html
                assert small or len(attributes["alt"]) > 40, page.name
                svg = unquote(attributes["src"].removeprefix("data:image/svg+xml,"))
                ET.fromstring(svg)
                assert not re.search(r"(?i)<!DOCTYPE|<script|<image|href=\"(?!#)|url\((?!#)", svg)
        assert "outturns on this page are made up" in html, page.name
        assert len(html) < 400_000
        if page.name != "index.html":
            assert "psa.open_report" not in html, "code is shown"


def test_two_runs_of_the_same_inputs_give_the_same_bytes(pack: Path, tmp_path: Path) -> None:
    """Three pages stand for all: charts of every kind, tables, words, and every file of data."""
    folder = tmp_path / "notebooks"
    folder.mkdir()
    for name in ("00_overview", "02_safer_county", "04_efficiency"):
        shutil.copy(ROOT / "notebooks" / f"{name}.ipynb", folder)
    psa_run("2004-05 Q3", "--notebooks", str(folder), "--outputs", str(tmp_path))
    again = tmp_path / "2004-05-Q3"
    # The front links to what is there, and the manifest says when it was made.
    names = {path.name for path in again.iterdir()} - {"index.html", "manifest.json"}
    assert len(names) == 2 * 3 + 4
    assert [name for name in names if checksum(pack / name) != checksum(again / name)] == []


def test_plain_papermill_works_from_any_folder_and_refuses_a_wrong_parameter(
    tmp_path: Path,
) -> None:
    command = [sys.executable, "-m", "papermill", NOTEBOOKS[0], "out.ipynb", "-p"]
    for arguments in (["period", "2005-06 Q1", "-p", "audience", "public"], ["perod", "x"]):
        done = subprocess.run(
            [*command, *arguments], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        if done.returncode == 0:
            assert "2005-06 Q1" in (tmp_path / "out.ipynb").read_text()
        else:
            assert "there is no parameter 'perod'" in done.stderr
        assert (done.returncode == 0) == ("perod" not in arguments), done.stderr


def test_an_agreement_without_a_return_yet_gives_a_pack(tmp_path: Path, council: Path) -> None:
    for path in (council / "raw" / "returns").iterdir():
        path.unlink()
    result = psa_run("2004-05 Q3", "--data", str(council), "--outputs", f"{tmp_path}/out")
    assert result.exit_code == 0, result.output
    index = (tmp_path / "out" / "2004-05-Q3" / "index.html").read_text()
    assert "no data" in index
    assert "; nothing has come yet" in psa("due", "2004-05 Q3", "--data", str(council)).output


def small(source: str, *texts: str) -> nbformat.NotebookNode:
    cells = [*(new_markdown_cell(text) for text in texts), new_code_cell(source)]
    return new_notebook(cells=cells)


def test_pictures_and_texts_that_are_an_analysts_own_are_on_the_page(report: Report) -> None:
    outputs = [
        new_output("display_data", data={"image/png": "QUJD\n", "text/plain": "<Figure 2x2>"}),
        new_output("display_data", data={"image/jpeg": "REVG"}),
        new_output("display_data", data={"text/markdown": "*By hand*", "text/plain": "?"}),
    ]
    html = export(new_notebook(cells=[new_code_cell("x", outputs=outputs)]), "", report)
    images = [attributes for tag, attributes in Tags(html).tags if tag == "img"]
    assert [(one["src"], one["alt"]) for one in images] == [
        ("data:image/png;base64,QUJD", "<Figure 2x2>"),
        ("data:image/jpeg;base64,REVG", "A picture without a description"),
    ]
    assert "<em>By hand</em>" in html


def test_contents_lead_to_the_second_headings(report: Report) -> None:
    text = (
        "# A page\n\n## One *thing* & another\n\n### Below\n\n## Contents\n\n## One thing, another"
    )
    html = export(small("1", text), "A page", report)
    links = re.findall(r'<a href="#([^"]+)">(.*?)</a>', html)
    assert links == [
        ("one-thing-another", "One thing &amp; another"),
        ("contents-2", "Contents"),
        ("one-thing-another-2", "One thing, another"),
    ]
    for anchor, _ in links:
        assert html.count(f'id="{anchor}"') == 1
    # One heading needs no list of contents, and none must not lose the text.
    for text in ("# A page\n\n## Only", "# A page\n\nOnly words"):
        html = export(small("1", text), "A page", report)
        assert "On this page" not in html
        assert html.count("Only") == 1


@given(st.text())
def test_no_title_escapes_from_the_style_sheet(title: str) -> None:
    text = css_text(title)
    assert text[0] == text[-1] == '"'
    assert not re.search(r'["<>\n\r\f;{}]', text[1:-1])
    # Read back as a browser does: a backslash, the number of the character, a space.
    back = re.sub(r"\\([0-9a-f]+) ", lambda match: chr(int(match[1], 16)), text[1:-1])
    assert back == title


def test_a_picture_keeps_its_scales_and_loses_only_what_nobody_sees() -> None:
    svg = (
        '<svg xmlns="http://www.w3.org/2000/svg"><metadata>x</metadata>'
        '<g transform="scale(0.015625)">'
        '<path d="M 1.23456 -0.98765\nL 10 2.5" style="stroke-width: 0.123456"/></g>'
        '<text x="3.14159" y="2" transform="translate(54.033534 283.430359)" style="font-family: '
        "'Arial', 'DejaVu Sans', sans-serif; fill: #1a1a1a\">5 &lt; 6 &amp; \"−2%\"</text></svg>"
    )
    address = picture_address(svg)
    assert not re.search(r"[\"<>#&\s](?<! )|%(?![0-9A-F]{2})", address)
    read = ET.fromstring(unquote(address.removeprefix("data:image/svg+xml,")))
    drawn = {one.tag.rpartition("}")[2]: one for one in read.iter()}
    assert "metadata" not in drawn
    assert drawn["g"].get("transform") == "scale(0.015625)"
    assert drawn["path"].get("d") == "M 1.2 -0.9 L 10 2.5"
    assert drawn["path"].get("style") == "stroke-width:0.123456"
    assert drawn["text"].get("transform") == "translate(54.0 283.4)"
    assert drawn["text"].text == '5 < 6 & "−2%"'
    assert drawn["text"].get("style") == "fill:#1a1a1a"
    assert drawn["svg"].get("style").endswith("sans-serif;font-size:12px")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["someday"], "expected a period such as"),
        (["2004/05"], "'2004/05' is a financial year; expected a quarter"),
        (["2004-05 Q3", "data", "publick"], "expected one of internal, public"),
        (["2004-05 Q3", "nowhere"], "the agreement's settings"),
    ],
)
def test_a_report_needs_no_notebook_and_says_what_is_wrong(arguments: list[str], says: str) -> None:
    with pytest.raises((ParameterError, DataError), match=says):
        open_report(*arguments)
