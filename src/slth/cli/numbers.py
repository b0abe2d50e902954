"""Whole numbers on the command line: 2.5 is no dimension."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from cyclopts import Parameter


def whole(kind: Any, tokens: Sequence[Any]) -> int:
    """The whole number of one token. Raises ValueError, which the parser reports."""
    text = tokens[0].value.strip().replace("_", "")
    if not text.lstrip("+-").isdecimal():
        raise ValueError(f"{tokens[0].value!r} is no whole number")
    return int(text)


Whole = Annotated[int, Parameter(converter=whole)]
OptionalWhole = Annotated[int | None, Parameter(converter=whole)]
