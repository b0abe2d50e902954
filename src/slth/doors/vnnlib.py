"""VNN-LIB: the input part of a property, as boxes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from slth.domain import Box
from slth.errors import InvalidInput

_MOST_BYTES = 1 << 26
# A box is a few numbers for each input; far more of them than anybody bounds one by one.
_MOST_BOXES = 10_000


@dataclass(frozen=True)
class Specification:
    """What a VNN-LIB file says.

    Attributes:
        boxes: of the inputs; their union is the domain.
        unused: assertions about outputs, which are not used.
    """

    boxes: tuple[Box, ...]
    unused: tuple[str, ...]


def read_boxes(path: Path, inputs: int) -> Specification:
    """The boxes of a VNN-LIB file (versions 1 and 2) for that many inputs X_0, X_1, ...

    Raises:
        InvalidInput: missing, damaged, an input without bounds, an assertion about inputs that is
            no box.
    """
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise _unusable(path, f"larger than {_MOST_BYTES} bytes")
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise _unusable(path, "no such file") from error
    except (OSError, UnicodeDecodeError) as error:
        raise _unusable(path, f"unreadable ({error})") from error
    try:
        return _specification(_parsed(re.sub(r";[^\n]*", "", text)), inputs)
    except (ValueError, IndexError, RecursionError) as error:
        raise _unusable(path, str(error)) from error


def _parsed(text: str) -> list[Any]:
    """Nested lists of words."""
    stack: list[list[Any]] = [[]]
    for word in re.findall(r"[()]|[^\s()]+", text):
        if word == "(":
            stack.append([])
        elif word == ")":
            if len(stack) == 1:
                raise ValueError("a bracket too many")
            part = stack.pop()
            stack[-1].append(part)
        else:
            stack[-1].append(word)
    if len(stack) != 1:
        raise ValueError("a bracket that is not closed")
    return stack[0]


# Bounds of some inputs: index -> (low, high).
_Bounds = dict[int, tuple[float, float]]


def _specification(commands: list[Any], inputs: int) -> Specification:
    choices: list[_Bounds] = [{}]
    unused = []
    for command in commands:
        if not isinstance(command, list) or not command or command[0] != "assert":
            continue
        (claim,) = command[1:]
        if not _names_input(claim):
            unused.append(_written(claim))
            continue
        found, outputs = _boxes(claim)
        unused += outputs
        choices = [_both(one, other) for one in choices for other in found]
        if len(choices) > _MOST_BOXES:
            raise ValueError(f"more than {_MOST_BOXES} boxes")
    boxes = []
    for bounds in choices:
        missing = [k for k in range(inputs) if not all(map(np.isfinite, bounds.get(k, (-np.inf,))))]
        if missing or any(k >= inputs for k in bounds):
            strange = [k for k in bounds if k >= inputs]
            raise ValueError(
                f"no bounds of X_{missing[0]}" if missing else f"an input X_{strange[0]}"
            )
        low, high = ([bounds[k][end] for k in range(inputs)] for end in (0, 1))
        if all(a <= b for a, b in zip(low, high, strict=True)):
            boxes.append(Box(low, high))
    if not boxes:
        raise ValueError("no box that holds a point")
    return Specification(tuple(boxes), tuple(unused))


def _boxes(claim: Any) -> tuple[list[_Bounds], list[str]]:
    """The alternatives of a claim, and what in it is about outputs."""
    if claim[0] == "or":
        parts = [_boxes(part) for part in claim[1:]]
        return [box for boxes, _ in parts for box in boxes], [
            text for _, texts in parts for text in texts
        ]
    if claim[0] == "and":
        choices: list[_Bounds] = [{}]
        unused = []
        for part in claim[1:]:
            if not _names_input(part):
                unused.append(_written(part))
                continue
            found, outputs = _boxes(part)
            unused += outputs
            choices = [_both(one, other) for one in choices for other in found]
        return choices, unused
    relation, left, right = claim
    if relation in (">=", ">"):
        left, right = right, left
    elif relation == "==":
        return [_both(_bound(left, right), _bound(right, left))], []
    elif relation not in ("<=", "<"):
        raise ValueError(f"an assertion {_written(claim)} about inputs that is no box")
    return [_bound(left, right)], []


def _bound(left: Any, right: Any) -> _Bounds:
    """left <= right, one of which is an input and the other a number."""
    for word, other, low in ((left, right, False), (right, left, True)):
        index = _input(word)
        if index is not None and isinstance(other, str) and _input(other) is None:
            number = float(other)
            return {index: (number, np.inf) if low else (-np.inf, number)}
    raise ValueError(f"an assertion {_written([left, right])} about inputs that is no box")


def _both(one: _Bounds, other: _Bounds) -> _Bounds:
    both = dict(one)
    for index, (low, high) in other.items():
        old = both.get(index, (-np.inf, np.inf))
        both[index] = (max(old[0], low), min(old[1], high))
    return both


def _input(word: Any) -> int | None:
    """The index of X_3, or X[3] of version 2."""
    found = (
        re.fullmatch(r"X(?:_(\d+)|\[(?:0\s*,\s*)*(\d+)\])", word) if isinstance(word, str) else None
    )
    return None if found is None else int(found[1] or found[2])


def _names_input(claim: Any) -> bool:
    if isinstance(claim, list):
        return any(_names_input(part) for part in claim)
    return _input(claim) is not None


def _written(claim: Any) -> str:
    return f"({' '.join(_written(part) for part in claim)})" if isinstance(claim, list) else claim


def _unusable(path: Path, problem: str) -> InvalidInput:
    return InvalidInput(
        "VNN-LIB file not usable",
        got=f"{path}: {problem}",
        expected="assertions (<= X_0 1.0), (>= X_0 0.0), ... for every input, or a disjunction of "
        "such boxes",
        fix="Write the input part as a box.",
    )
