"""What analysts start from: the tidy frame, their own pictures, Explore cells and recipes."""

import contextlib
import io
import json
import os
import re
from dataclasses import replace
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
import pytest
from builders import ReportOf

import psa_analysis as psa
from psa_analysis.analysis.trajectory import planned_path
from psa_analysis.packs.run import pages_of
from psa_analysis.pipeline import ROOT
from psa_analysis.report import Report, readings_with_path
from psa_analysis.show.chart import Chart

NOTEBOOKS = sorted((ROOT / "notebooks").glob("0[1-4]*.ipynb"))
FRAMES = "tidy|readings|observations|assessment|effectiveness"
KEYS = ["measure", "area", "period"]


def test_every_recipe_runs_and_prints_what_its_page_says(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """After an intended change: ``PSA_RECORD=1 pytest tests/test_explore.py``, and read it."""
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    names: dict[str, object] = {}
    for path in [ROOT / "README.md", ROOT / "docs" / "explore.md"]:
        text = path.read_text()
        blocks = re.findall(r"```python\n(.*?)```\n(?:\n```text\n(.*?)```\n)?", text, re.DOTALL)
        assert text.count("```python") == len(blocks)
        for code, printed in blocks:
            assert len(code.splitlines()) <= 12, code
            written = io.StringIO()
            with contextlib.redirect_stdout(written):
                exec(code, names)
            if "PSA_RECORD" in os.environ:
                start, now = f"{code}```\n\n```text\n", written.getvalue()
                path.write_text(path.read_text().replace(start + printed, start + now))
            else:
                assert written.getvalue() == printed, code
    assert len(re.findall(r"^### .*\?$", text, re.MULTILINE)) >= 10
    assert not plt.get_fignums()


def test_every_theme_explores_its_data_in_the_open() -> None:
    assert len(NOTEBOOKS) == 4
    explored = 0
    for path in NOTEBOOKS:
        cells = json.loads(path.read_text())["cells"]
        cells = {cell["id"]: cell for cell in cells if cell["cell_type"] == "code"}
        assert len(cells) <= 25
        shared = ""
        for name, cell in cells.items():
            source = "".join(cell["source"])
            if not name.startswith("explore-"):
                continue
            explored += 1
            assert len(source.splitlines()) >= 3, source
            shared += source  # a cell may go on with what one before it made
            assert re.search(rf"report\.({FRAMES})", shared)
            assert re.search(r"\b(sns|pd)\.|\.(groupby|pivot|sort_values)\(", source)
            assert "psa.figure(" in source or "psa.table(" in source
        first = next(cell for name, cell in cells.items() if name.startswith("explore-"))
        assert "import seaborn as sns" in "".join(first["source"])
    assert explored >= 16


def test_a_notebook_is_used_where_its_measures_are(report: Report) -> None:
    sources = [*NOTEBOOKS, ROOT / "notebooks" / "theme.ipynb"]
    pages = {name for name, *_ in pages_of(sources, report)}
    assert pages == {path.stem for path in NOTEBOOKS}
    readings = report.readings[report.readings["measure"] != "N13"]
    pages = {name for name, *_ in pages_of(sources, replace(report, readings=readings))}
    assert "02_safer_county" not in pages
    assert "theme_safer" in pages


@pytest.mark.parametrize("period", ["2003-04 Q1", "2004-05 Q3", "2006-07 Q2"])
def test_the_tidy_frame_is_the_readings_with_path_and_forecast(
    report_of: ReportOf, period: str
) -> None:
    report = report_of(period)
    tidy, area = report.tidy(), report.agreement.settings.agreement.area
    assert not tidy.duplicated(KEYS).any()
    readings = report.readings[report.readings["period_end"] <= pd.Timestamp(report.period.end)]
    both = readings.merge(tidy, on=KEYS, suffixes=("", "_tidy"))
    assert len(both) == len(readings)
    for column in ("reading", "lower", "upper", "flag"):
        pd.testing.assert_series_equal(both[column], both[f"{column}_tidy"], check_names=False)
    own = tidy[tidy["area"] == area].set_index(["measure", "period"])["planned"]
    for measure in report.measures():
        for row in readings_with_path(report, measure).itertuples():
            assert own[measure, row.period] == pytest.approx(row.planned, nan_ok=True)
    ahead = tidy[tidy["forecast"].notna() & (tidy["measure"] == "N13")]
    path = planned_path(report.agreement.measures.loc["N13"], ahead["period_end"])
    assert ahead["planned"].tolist() == pytest.approx(list(path))


def test_an_analysts_picture_has_words_and_numbers_and_is_shown_once() -> None:
    def drawn() -> Chart:
        _, ax = plt.subplots()
        ax.plot([1, 2], [3, 4])
        return psa.figure(ax, alt="Two <points>", data=pd.DataFrame({"x": [1, 2], "y": [3, 4]}))

    data, metadata = drawn()._repr_mimebundle_()
    assert metadata["image/svg+xml"]["alt"] == data["text/plain"] == "Two <points>"
    assert "<td" in metadata["image/svg+xml"]["numbers"]
    assert drawn().svg == drawn().svg
    assert not plt.get_fignums()
