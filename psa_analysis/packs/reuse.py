"""What a pack was made from, so that nothing is made twice.

Imports nothing heavy: an unchanged pack must be told at once.
"""

from __future__ import annotations

import ast
import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Any

from psa_analysis.files import checksum, write_bytes

#: What editors and interpreters leave behind, and what pytest alone reads.
_IGNORED = re.compile(r"/\.|/__pycache__/|/conftest\.py$")

_PACKAGE = Path(__file__).resolve().parent.parent


def key_of(*parts: object) -> str:
    """SHA-256 of what something is made from; equal parts give equal keys."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


@lru_cache
def made_with() -> str:
    """The package's own files, by content, and the versions of the libraries that it names."""
    own = checksums(_files(_PACKAGE), _PACKAGE)
    return key_of(own, versions())


def versions() -> dict[str, str]:
    """The versions of the package and of the libraries that it is built on."""
    names = ["psa_analysis", "nbclient", "nbformat", "ipython"]
    # "pandas>=3,<4", 'dask; extra == "dask"'
    for line in requires("psa_analysis") or ():
        name, _, condition = line.partition(";")
        if "extra" not in condition:
            names.append(re.split(r"[^\w.-]", name.strip())[0])
    found = {}
    for name in names:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found


def inputs_of(data: Path, notebooks: Path) -> dict[str, dict[str, str]]:
    """SHA-256 of every file that a pack may depend on, by folder: raw data, and notebooks.

    Notebooks may import modules that stand beside them.
    """
    beside = [path for path in _files(notebooks) if path.suffix in (".ipynb", ".py")]
    return {
        "data": checksums(_files(data / "raw"), data),
        "notebooks": checksums(beside, notebooks),
    }


def _files(folder: Path) -> list[Path]:
    """The files below a folder."""
    return sorted(
        path
        for path in folder.rglob("*")
        if path.is_file() and not _IGNORED.search(f"/{path.relative_to(folder).as_posix()}")
    )


def theme_asked_for(notebook: Path) -> str | None:
    """The theme whose report a notebook opens; None if it opens more, or that cannot be told."""
    try:
        cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
        code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
        tree = list(ast.walk(ast.parse("\n".join(code))))
    except (OSError, ValueError, KeyError, TypeError, SyntaxError):
        return None
    named = [one for one in tree if _called(one) == "open_report"]
    themes = [
        str(given.value.value)
        for call in tree
        if isinstance(call, ast.Call) and _called(call.func) == "open_report"
        for given in call.keywords
        if given.arg == "theme" and isinstance(given.value, ast.Constant)
    ]
    return themes[0] if len(themes) == len(named) == 1 else None


def _called(node: ast.AST) -> str:
    return getattr(node, "attr", "") or getattr(node, "id", "")


def checksums(paths: Iterable[Path], root: Path) -> dict[str, str]:
    """SHA-256 of each file, by its path from a folder."""
    return {path.relative_to(root).as_posix(): checksum(path) for path in paths}


def intact(folder: Path, files: Mapping[str, str]) -> bool:
    """Whether a folder holds files of these checksums."""
    return all(
        (folder / name).is_file() and checksum(folder / name) == was for name, was in files.items()
    )


def read_record(path: Path) -> dict[str, Any]:
    """What was kept of an earlier run; nothing if there is none, or it cannot be read."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}


def write_record(path: Path, record: Mapping[str, Any]) -> None:
    """Keep a record for the next run."""
    write_bytes(path, json.dumps(record, indent=1).encode())
