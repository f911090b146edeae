"""What a pack is made from: checksums of files and versions of libraries, and the key over them.

Imports nothing heavy: an unchanged pack must be told at once.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from importlib.metadata import requires, version
from pathlib import Path

from psa_analysis.files import checksum

#: What editors and interpreters leave behind, and what pytest alone reads.
_IGNORED = re.compile(r"/\.|/__pycache__/|/conftest\.py$")

_PACKAGE = Path(__file__).resolve().parent.parent


def key_of(*parts: object) -> str:
    """SHA-256 of what something is made from; equal parts give equal keys."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


@lru_cache
def package_key() -> str:
    """The key of the package's own files, by content, and of its libraries' versions."""
    return key_of(checksums(_files(_PACKAGE), _PACKAGE), versions())


def versions() -> dict[str, str]:
    """The versions of the package and of the libraries that it is built on."""
    names = ["psa_analysis", "nbclient", "nbformat", "ipython"]
    # "pandas>=3,<4", 'dask; extra == "dask"'
    for line in requires("psa_analysis") or ():
        if "extra ==" not in line:
            names.append(re.split(r"[^\w.-]", line)[0])
    return {name: version(name) for name in names}


def inputs_of(data: Path, notebooks: Path) -> dict[str, str]:
    """SHA-256 of every file that a pack may depend on: raw data, notebooks, modules beside them."""
    beside = [path for path in _files(notebooks) if path.suffix in (".ipynb", ".py")]
    digests = checksums(beside, notebooks)
    named = {f"notebooks/{name}": digest for name, digest in digests.items()}
    return checksums(_files(data / "raw"), data) | named


def _files(folder: Path) -> list[Path]:
    """The files below a folder."""
    names = sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return [folder / name for name in names if not _IGNORED.search(f"/{name.as_posix()}")]


def checksums(paths: Iterable[Path], root: Path) -> dict[str, str]:
    """SHA-256 of each file, by its path from a folder."""
    return {path.relative_to(root).as_posix(): checksum(path) for path in paths}


def intact(folder: Path, files: Mapping[str, str]) -> bool:
    """Whether a folder holds files of these checksums."""
    paths = [folder / name for name in files]
    return all(path.is_file() for path in paths) and checksums(paths, folder) == files
