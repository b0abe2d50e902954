"""Values that stay what they are: copies and pickles go through the constructor again."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np


class Rebuilt:
    """Mixin for frozen dataclasses that hold arrays: these are read-only, and a copy is made by the
    constructor from the fields, which checks them again and makes the copied arrays read-only."""

    def __post_init__(self) -> None:
        """Of a class that checks nothing: every array becomes a read-only view."""
        views = {
            name: value.view()
            for name, value in vars(self).items()
            if isinstance(value, np.ndarray)
        }
        freeze(self, **views)

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return type(self), tuple(getattr(self, field.name) for field in fields(self))  # type: ignore[arg-type]


def freeze(owner: object, **values: object) -> None:
    """Set fields of a frozen dataclass under construction; arrays become read-only."""
    for name, value in values.items():
        if isinstance(value, np.ndarray):
            value.flags.writeable = False
        object.__setattr__(owner, name, value)
