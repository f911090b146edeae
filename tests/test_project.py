"""The project's own promises: notebooks, environments, documentation, repository."""

import json
import re
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml

from psa_analysis.analysis.assessment import COLUMNS, STATES
from psa_analysis.pipeline import PARAMETERS, ROOT
from psa_analysis.register.loading import Settings
from psa_analysis.register.rows import TABLES

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def cells(path: Path, kind: str) -> list[dict]:
    notebook = json.loads(path.read_text())
    return [cell for cell in notebook["cells"] if cell["cell_type"] == kind]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_committed_notebooks_keep_to_the_standard(path: Path) -> None:
    notebook = json.loads(path.read_text())
    first, second = notebook["cells"][:2]
    assert first["cell_type"] == "markdown"
    assert "".join(first["source"]).startswith("# ")
    headings = [line for cell in cells(path, "markdown") for line in cell["source"]]
    assert sum(line.startswith("# ") for line in headings) == 1
    assert second["metadata"]["tags"] == ["parameters"]
    names = re.findall(r"^(\w+) = ", "".join(second["source"]), re.MULTILINE)
    assert tuple(names) in (PARAMETERS, PARAMETERS[:3])
    for cell in cells(path, "code"):
        source = "".join(cell["source"])
        # nbval passes on a notebook whose outputs were stripped, so their presence is checked here.
        assert cell["execution_count"] is not None, f"never executed: {source}"
        is_parameters = "parameters" in cell["metadata"].get("tags", [])
        assert cell["outputs"] or is_parameters, f"no output: {source}"
        assert len(source.splitlines()) <= 15, source
        for output in cell["outputs"]:
            assert output["output_type"] != "error"
            assert output.get("name") != "stderr"
            if "image/svg+xml" in output.get("data", {}):
                assert output["metadata"]["image/svg+xml"]["alt"]


def wanted(extras: tuple[str, ...]) -> set[str]:
    listed = PROJECT["dependencies"] + [
        entry for extra in extras for entry in PROJECT["optional-dependencies"][extra]
    ]
    return {entry.replace(" ", "") for entry in listed}


def test_the_conda_environment_is_in_step_with_the_project() -> None:
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    listed = environment["dependencies"]
    pip = next(entry["pip"] for entry in listed if isinstance(entry, dict))
    conda = {entry for entry in listed if isinstance(entry, str)}
    assert f"python{PROJECT['requires-python']}" in conda
    packages = (conda | set(pip)) - {f"python{PROJECT['requires-python']}", "pip", "--editable ."}
    assert packages == wanted(("lab", "test", "build"))


@pytest.mark.parametrize(
    ("lock", "extras"),
    [("base", ()), ("test", ("test",)), ("lab", ("lab",)), ("benchmark", ("benchmark",))],
)
def test_the_locks_hold_every_dependency_with_hashes_and_no_address(
    lock: str, extras: tuple[str, ...]
) -> None:
    text = (ROOT / "requirements" / f"{lock}.txt").read_text()
    assert "://" not in text
    pinned = set(re.findall(r"^([a-z0-9-]+)==", text, re.MULTILINE))
    names = {
        re.split(r"[<>=]", entry)[0].lower().replace("_", "-")
        for entry in wanted((*extras, "build"))
    }
    assert names <= pinned
    entries = re.split(r"\n(?=[a-z0-9])", text)
    assert all("--hash=sha256:" in entry for entry in entries if "==" in entry.partition("\n")[0])


def test_documentation_describes_every_field() -> None:
    register = (ROOT / "docs" / "register.md").read_text()
    for name, table in TABLES.items():
        assert f"{name}.csv" in register
        for column in table:
            assert f"`{column}`" in register, f"{name}: {column}"
    for section, field in Settings.model_fields.items():
        assert f"[{section}" in register
        for setting in getattr(field.annotation, "model_fields", {}):
            assert f"`{setting}`" in register, f"{section}.{setting}"
    columns = (ROOT / "docs" / "assessment.md").read_text()
    for column, meaning in (COLUMNS | STATES).items():
        assert f"| `{column}` | {meaning} |" in columns, column


def test_the_readme_names_commands_that_exist() -> None:
    readme = (ROOT / "README.md").read_text()
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"(?:^|`)make ([a-z]+)", readme, re.MULTILINE))
    assert {"pack", "test"} <= targets
    for target in targets:
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
    for picture in re.findall(r"!\[.*?\]\((.*?)\)", readme):
        assert (ROOT / picture).exists(), picture


def test_no_path_of_a_machine_and_no_registry_is_in_the_repository() -> None:
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    files = [ROOT / name for name in listed.split("\0") if name]
    assert len(files) > 40
    pattern = re.compile(r"/(home|root|work|Users)/\w|pypi\.org|pythonhosted|conda\.anaconda")
    for path in files:
        if path.suffix in (".png", ".ico") or path == Path(__file__) or not path.exists():
            continue
        found = pattern.search(path.read_text(encoding="utf-8"))
        assert not found, f"{path.name}: {found}"


def test_no_page_holds_a_place_for_a_figure_that_never_came() -> None:
    for path in [ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").glob("*.md")]:
        assert not re.findall(r"\b(?:SCORES|REL|CRPS below|TODO|XXX|FIXME)\b", path.read_text()), (
            path
        )


def test_each_room_is_installed_and_says_what_belongs_in_it() -> None:
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text())
    rooms = sorted((ROOT / "psa_analysis").glob("*/__init__.py"))
    names = {f"psa_analysis.{path.parent.name}" for path in rooms}
    assert {*names, "psa_analysis"} == set(pyproject["tool"]["setuptools"]["packages"])
    assert all(len(path.read_text().splitlines()) == 1 for path in rooms)
