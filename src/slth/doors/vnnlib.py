"""VNN-LIB: the input part of a property, as boxes."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np

from slth.domain import Box
from slth.errors import InvalidInput

# Every bracket becomes a list: a file of this many bytes takes 1.6 GB.
_MOST_BYTES = 1 << 25
# Far more boxes, and numbers in them, than anybody bounds one by one.
_MOST_BOXES, _MOST_NUMBERS = 10_000, 1 << 24
# Bounds that crossing two disjunctions may write: each takes about 100 bytes.
_MOST_CROSSED = 1 << 22
# Commands that say nothing of the inputs beside what is asserted. Others may take assertions back
# (push, pop) or give a name another meaning (define-fun).
_SILENT = {"set-logic", "set-info", "set-option", "check-sat", "get-model", "get-value", "echo"}
# Types of numbers that boxes of real numbers hold.
_REAL = {"Real", "real", "float16", "float32", "float64", "bfloat16"}
# A bracket, a word with places such as X[0, 1], or another word.
_WORD = re.compile(r"[()]|[^\s()\[\]]*\[[^\]\[()]*\]|[^\s()\[\]]+")
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,9})?")


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
    """The boxes of a VNN-LIB file, version 1 or 2, for that many inputs. They hold the numbers that
    are written: decimals between two floats go outward.

    Raises:
        InvalidInput: missing, damaged, several networks, an input without bounds, an assertion
            about inputs that is no box.
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
        return _Reader(_parsed(text), inputs).specification()
    except (ValueError, IndexError, TypeError, AttributeError, RecursionError) as error:
        raise _unusable(path, str(error)) from error


def _parsed(text: str) -> list[Any]:
    """Nested lists of words; X[0, 1] is one word."""
    # Texts and quoted names may hold brackets and semicolons; comments hold anything.
    bare = re.sub(r'"[^"]*"|\|[^|]*\||;[^\n]*', _emptied, text)
    bare = re.sub(r"\s+\[", "[", bare)
    stack: list[list[Any]] = [[]]
    left = _WORD.sub("", bare).strip()
    if left:
        raise ValueError(f"{left[:20]!r} without its pair")
    for word in _WORD.findall(bare):
        if word == "(":
            stack.append([])
        elif word == ")":
            if len(stack) == 1:
                raise ValueError("a bracket too many")
            part = stack.pop()
            stack[-1].append(part)
        else:
            stack[-1].append(re.sub(r"\s", "", word))
    if len(stack) != 1:
        raise ValueError("a bracket that is not closed")
    return stack[0]


def _emptied(found: re.Match[str]) -> str:
    return "" if found[0][0] == ";" else 2 * found[0][0]


# Bounds of some inputs: index -> (low, high).
_Bounds = dict[int, tuple[float, float]]


class _Reader:
    """The commands of a file. Version 1 names inputs X_0, X_1, ..., version 2 declares a tensor and
    names its entries X[0,3]."""

    def __init__(self, commands: list[Any], inputs: int) -> None:
        self.commands, self.inputs = commands, inputs
        self.unused: list[str] = []
        self.tensor: str | None = None
        self.shape: tuple[int, ...] = ()
        # Other tensors that are declared: outputs and hidden ones.
        self.others: set[str] = set()
        # Whether a claim names an input, by its id: nested claims are asked on every level.
        self.naming: dict[int, bool] = {}

    def specification(self) -> Specification:
        common: _Bounds = {}
        choices: list[_Bounds] = [{}]
        for place, command in enumerate(self.commands):
            if not isinstance(command, list) or not command:
                raise ValueError(f"{_written(command)} outside of a command")
            if command[0] == "exit" and place == len(self.commands) - 1:
                continue
            if command[0] != "assert":
                self._prepare(command)
                continue
            if len(command) != 2:
                raise ValueError(f"{len(command) - 1} claims in {_written(command)}")
            (claim,) = command[1:]
            if not self._names_input(claim):
                self._leave(claim)
                continue
            found = self._boxes(claim)
            if len(found) == 1:
                _narrow(common, found[0])
            else:
                choices = _crossed(choices, found)
        return Specification(self._whole(common, choices), tuple(self.unused))

    def _prepare(self, command: list[Any]) -> None:
        """A command that is no assertion."""
        kind, *rest = command
        if kind == "declare-network":
            self._declare(command)
        elif kind == "vnnlib-version":
            if not re.fullmatch(r"<[12](\.[0-9]+)?>", "".join(map(_written, rest))):
                raise ValueError(f"a version {_written(command)}")
        elif kind in ("declare-const", "declare-fun"):
            if len(rest) < 2 or rest[-1] not in _REAL or rest[1:-1] not in ([], [[]]):
                raise ValueError(f"{_written(command)}, no real number")
        elif not isinstance(kind, str) or kind not in _SILENT:
            raise ValueError(f"a command {_written(command)}")

    def _declare(self, command: list[Any]) -> None:
        """(declare-network f (declare-input X real [1,5]) ...); one network of one input."""
        if self.tensor is not None:
            raise ValueError("several networks")
        inputs = [part for part in command[2:] if part[0] == "declare-input"]
        if len(inputs) != 1:
            raise ValueError(f"a network of {len(inputs)} inputs")
        for part in command[2:]:
            if part[0] not in ("declare-input", "declare-hidden", "declare-output"):
                raise ValueError(f"a network with {_written(part)}")
            if part[2].partition("[")[0] not in _REAL and part[2] not in _REAL:
                raise ValueError(f"{_written(part)}, no real numbers")
        names = [part[1] for part in command[2:]]
        if len(set(names)) != len(names):
            raise ValueError("two tensors of one name")
        self.tensor = inputs[0][1]
        self.others = {part[1] for part in command[2:] if part[0] != "declare-input"}
        sizes = inputs[0][2].partition("[")[2].strip("]")
        self.shape = tuple(int(size) for size in sizes.split(",")) if sizes else ()
        if math.prod(self.shape) != self.inputs:
            raise ValueError(f"an input of shape {list(self.shape)} for {self.inputs} inputs")

    def _whole(self, common: _Bounds, choices: list[_Bounds]) -> tuple[Box, ...]:
        if len(choices) * self.inputs > _MOST_NUMBERS:
            raise ValueError(f"more than {_MOST_NUMBERS} bounds")
        boxes = []
        for choice in choices:
            bounds = dict(common)
            _narrow(bounds, choice)
            none = (-math.inf, math.inf)
            low, high = (
                np.array([bounds.get(k, none)[end] for k in range(self.inputs)]) for end in (0, 1)
            )
            strange = [k for k in bounds if k >= self.inputs]
            if strange:
                raise ValueError(f"an input number {strange[0]}, but there are {self.inputs}")
            missing = ~(np.isfinite(low) & np.isfinite(high))
            if missing.any():
                raise ValueError(f"no bounds of input number {int(missing.argmax())}")
            if (low <= high).all():
                boxes.append(Box(low, high))  # type: ignore[arg-type]
        if not boxes:
            raise ValueError("no box that holds a point")
        return tuple(boxes)

    def _boxes(self, claim: Any) -> list[_Bounds]:
        """The alternatives of a claim; what in it is about outputs is noted."""
        if not isinstance(claim, list):
            raise ValueError(f"an assertion {claim}")
        if claim[0] == "or":
            alternatives = [box for part in claim[1:] for box in self._boxes(part)]
            if len(alternatives) > _MOST_BOXES:
                raise ValueError(f"more than {_MOST_BOXES} boxes")
            return alternatives
        if claim[0] == "and":
            choices: list[_Bounds] = [{}]
            for part in claim[1:]:
                if self._names_input(part):
                    choices = _crossed(choices, self._boxes(part))
                else:
                    self._leave(part)
            return choices
        relation, *sides = claim
        if len(sides) != 2 or relation not in ("<=", "<", ">=", ">", "=="):
            raise ValueError(f"an assertion {_written(claim)} about inputs that is no box")
        left, right = sides if relation[0] != ">" else sides[::-1]
        found = self._bound(left, right, claim)
        if relation == "==":
            _narrow(found, self._bound(right, left, claim))
        return [found]

    def _leave(self, claim: Any) -> None:
        """Note a claim about outputs."""
        if not self._names_output(claim):
            raise ValueError(f"an assertion {_written(claim)} about neither inputs nor outputs")
        self.unused.append(_written(claim))

    def _bound(self, left: Any, right: Any, claim: Any) -> _Bounds:
        """left <= right in a claim, one of which is an input and the other a number. Decimals
        between two floats go outward, so the box holds what was written."""
        for word, other, end in ((left, right, 1), (right, left, 0)):
            index = self._input(word)
            if index is not None and _is_number(other):
                number = _outward(other, end)
                return {index: (-math.inf, number) if end else (number, math.inf)}
        raise ValueError(f"an assertion {_written(claim)} about inputs that is no box")

    def _input(self, word: Any) -> int | None:
        """The index that a word names."""
        if not isinstance(word, str):
            return None
        if self.tensor is None:
            found = re.fullmatch(r"X_(0|[1-9]\d{0,8})", word)
            return None if found is None else int(found[1])
        found = re.fullmatch(r"([^\[]+)(?:\[([\d,]*)\])?", word)
        if found is None or found[1] != self.tensor:
            return None
        places = [int(place) for place in (found[2] or "").split(",") if place]
        if len(places) != len(self.shape) or any(
            place >= size for place, size in zip(places, self.shape, strict=True)
        ):
            raise ValueError(f"{word}, no entry of a tensor of shape {list(self.shape)}")
        index = 0
        for place, size in zip(places, self.shape, strict=True):
            index = index * size + place
        return index

    def _names_output(self, claim: Any) -> bool:
        if isinstance(claim, list):
            return any(self._names_output(part) for part in claim)
        if self.tensor is None:
            return re.fullmatch(r"Y_\d{1,9}", claim) is not None
        return claim.partition("[")[0] in self.others

    def _names_input(self, claim: Any) -> bool:
        if not isinstance(claim, list):
            return self._input(claim) is not None
        known = self.naming.get(id(claim))
        if known is None:
            known = self.naming[id(claim)] = any(self._names_input(part) for part in claim)
        return known


def _text(word: Any) -> str:
    """A number as one word: (- 1.5) is one too."""
    negated = isinstance(word, list) and len(word) == 2 and word[0] == "-"
    return f"-{_written(word[1])}" if negated else _written(word)


def _is_number(word: Any) -> bool:
    return _NUMBER.fullmatch(_text(word)) is not None


def _outward(word: Any, end: int) -> float:
    """The float at or next below (end 0) or above (end 1) a decimal."""
    text = _text(word)
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"a bound {text}")
    exact = Decimal(text)
    if end and Decimal(number) < exact:
        return math.nextafter(number, math.inf)
    if not end and Decimal(number) > exact:
        return math.nextafter(number, -math.inf)
    return number


def _crossed(choices: list[_Bounds], found: list[_Bounds]) -> list[_Bounds]:
    """Every box of the one within every box of the other."""
    if len(found) == 1:
        for choice in choices:
            _narrow(choice, found[0])
        return choices
    if len(choices) * len(found) > _MOST_BOXES:
        raise ValueError(f"more than {_MOST_BOXES} boxes")
    written = len(found) * sum(map(len, choices)) + len(choices) * sum(map(len, found))
    if written > _MOST_CROSSED:
        raise ValueError(f"more than {_MOST_CROSSED} bounds in all alternatives")
    crossed = []
    for choice in choices:
        for other in found:
            both = dict(choice)
            _narrow(both, other)
            crossed.append(both)
    return crossed


def _narrow(bounds: _Bounds, other: _Bounds) -> None:
    for index, (low, high) in other.items():
        old = bounds.get(index, (-math.inf, math.inf))
        bounds[index] = (max(old[0], low), min(old[1], high))


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
