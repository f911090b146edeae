"""The digest of what a page can see: equal for equal values, in any process."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass

import numpy as np
import pandas as pd


def digest(value: object) -> str:
    """SHA-256 of a value and all that it is made of.

    Pickles would not do: they depend on which equal texts are one object.

    Parameters
    ----------
    value : object
        Frames, arrays, mappings, sequences and data classes, and whatever has a repr that says
        all of it.

    Raises
    ------
    ValueError
        If a repr gives an address, so that equal values would differ.
    """
    whole = hashlib.sha256()
    for part in _parts(value):
        whole.update(f"{len(part)}:".encode())
        whole.update(part)
    return whole.hexdigest()


def _parts(value: object) -> Iterator[bytes]:
    yield type(value).__name__.encode()
    if isinstance(value, pd.DataFrame):
        yield from _parts(value.index)
        for name in value.columns:
            yield str(name).encode()
            yield from _parts(value[name])
    elif isinstance(value, pd.Series | pd.Index):
        yield str(value.dtype).encode()
        if value.dtype == "str":  # says all of itself, and at once
            yield repr(value.tolist()).encode(errors="surrogatepass")
            return
        plain = value.to_numpy()
        yield from _parts(plain if plain.dtype.kind in "biufmM" else plain.tolist())
    elif isinstance(value, np.ndarray) and value.dtype.kind in "biufmM":
        yield f"{value.dtype} {value.shape}".encode()
        yield np.ascontiguousarray(value).tobytes()
    elif isinstance(value, Mapping):
        for key, one in value.items():
            yield repr(key).encode()
            yield from _parts(one)
    elif is_dataclass(value) and not isinstance(value, type):
        # What is kept beside the fields counts too.
        yield from _parts(
            vars(value)
            if hasattr(value, "__dict__")
            else {field.name: getattr(value, field.name) for field in fields(value)}
        )
    elif isinstance(value, list | tuple | np.ndarray):
        yield str(len(value)).encode()
        for one in value:
            yield from _parts(one)
    else:
        said = repr(value)
        if " at 0x" in said:
            raise ValueError(f"no digest of {said}")
        yield said.encode(errors="surrogatepass")
