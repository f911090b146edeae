"""The house stays small: budgets, floors and public names; ``make lint`` holds the layers."""

import ast
import re
from collections import Counter
from functools import cache
from pathlib import Path

import grimp
import pytest

import psa_analysis
from psa_analysis.pipeline import ROOT

#: They only go down: whoever makes the house smaller lowers them. Asked are 12,000 lines of package
#: and 9,000 of tests.
BUDGETS = {"package": 12_485, "module": 388, "tests": 10_458, "floors": 9}

PACKAGE = ROOT / "psa_analysis"
MODULES = sorted(PACKAGE.rglob("*.py"))


def lines(paths: list[Path]) -> int:
    return sum(len(path.read_text(encoding="utf-8").splitlines()) for path in paths)


def longest_chain() -> list[str]:
    """The longest chain of imports among modules, from the top; a circle is an error.

    Imports inside functions count; those for types alone do not, since they never happen.
    """
    graph = grimp.build_graph("psa_analysis", exclude_type_checking_imports=True)
    # The command line imports its modules at their first use.
    for name in re.findall(r'"((?:\w+\.)*\w+)"', (PACKAGE / "cli.py").read_text()):
        if f"psa_analysis.{name}" in graph.modules:
            graph.add_import(importer="psa_analysis.cli", imported=f"psa_analysis.{name}")
    path: list[str] = []

    @cache
    def chain(module: str) -> tuple[str, ...]:
        assert module not in path, f"a circle of imports: {path[path.index(module) :]}"
        path.append(module)
        below = [chain(name) for name in sorted(graph.find_modules_directly_imported_by(module))]
        path.pop()
        return (module, *max(below, key=len, default=()))

    return list(max(map(chain, sorted(graph.modules)), key=len))


def test_the_package_keeps_to_its_budget() -> None:
    total = lines([*MODULES, *PACKAGE.rglob("*.pyi")])
    assert total <= BUDGETS["package"], f"{total} lines: what can go?"
    longest = max(MODULES, key=lambda path: lines([path]))
    assert lines([longest]) <= BUDGETS["module"], f"{longest.name}: {lines([longest])} lines"
    tests = lines(sorted((ROOT / "tests").rglob("*.py")))
    assert tests <= BUDGETS["tests"], f"{tests} lines of tests"


def test_imports_run_over_few_floors_and_in_no_circle() -> None:
    chain = longest_chain()
    print(f"{len(chain)} floors: {' > '.join(chain)}")
    assert len(chain) <= BUDGETS["floors"], " > ".join(chain)


def test_each_public_name_is_written_once() -> None:
    stub = ast.parse((PACKAGE / "__init__.pyi").read_text())
    imports = [node for node in stub.body if isinstance(node, ast.ImportFrom)]
    names = Counter(alias.name for node in imports for alias in node.names)
    assert max(names.values()) == 1
    assert set(names) == set(dir(psa_analysis))
    runtime = (PACKAGE / "__init__.py").read_text()
    assert not [name for name in names if f'"{name}"' in runtime]
    for name in names:
        getattr(psa_analysis, name)
    # psa.changes would be the one or the other, by what was imported before.
    assert not {path.stem for path in PACKAGE.iterdir()} & set(names)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_module_is_formatted_and_holds_no_thing_of_its_own_name(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert "# fmt: skip" not in text
    kinds = (ast.FunctionDef, ast.ClassDef)
    defined = {node.name for node in ast.parse(text).body if isinstance(node, kinds)}
    assert path.stem not in defined
