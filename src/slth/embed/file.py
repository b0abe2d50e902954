"""Embedding files: seed, mask, shapes and certificate; docs/embed.md specifies them.

The random weights are not stored. Reading draws them again and compares their SHA-256.
"""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass, fields
from itertools import pairwise
from typing import Any, get_args

import numpy as np

from slth import archive
from slth.archive import Damaged, damaged
from slth.domain import Ball, Box
from slth.embed.assemble import Construction
from slth.embed.random import GENERATOR
from slth.embed.reach import Even, ends, signed
from slth.embed.samples import LEAST_SAMPLES, MOST_SAMPLES, SPARE_COPIES, LayerPlan
from slth.embed.shape import Shape
from slth.embed.solve import Bits, Solved
from slth.errors import InvalidInput, TicketError
from slth.files import replacing

FORMAT, VERSION = "slth-embedding", 1
_ARRAYS = {"layers": ("<i8", 2), "mask": ("|u1", 1)}
_SHAPE = len(fields(Shape))
_COLUMNS = _SHAPE + len(fields(LayerPlan))
_KEYS = {
    "format",
    "version",
    "generator",
    "seed",
    "construction",
    "domain",
    "eps",
    "error",
    "input_shape",
    "target_sha256",
    "weights_sha256",
}
# Larger sizes, seeds and exponents are refused before anything is drawn.
_MAX_SIZE = 1 << 24
_MAX_SEED = 1 << 63
_MAX_EXPONENT = 400
_MAX_LAYERS = 1000
# Random weights that are drawn for every bit of the mask: a pool's worth and more.
_MAX_PRODUCTS = 1 << 33


@dataclass(frozen=True, eq=False)
class Contents:
    """What a file says; masks[k] = (mask, bias mask) of layer k, as slth.embed.solve.Solved."""

    shapes: tuple[Shape, ...]
    plans: tuple[LayerPlan, ...]
    seed: int
    construction: Construction
    domain: Even
    eps: float
    error: float
    target_digest: str
    input_shape: tuple[int, ...]
    weights_digest: str
    masks: tuple[tuple[Bits, Bits], ...]


def weights_digest(solved: Sequence[Solved]) -> str:
    """SHA-256 (hex) of the layers' digests of every random product their weights could use."""
    return hashlib.sha256(b"".join(part.digest for part in solved)).hexdigest()


def packed(contents: Contents) -> bytes:
    """The bytes of the file.

    Raises:
        TicketError: it is larger than slth reads.
    """
    table = np.array(
        [astuple(s) + astuple(p) for s, p in zip(contents.shapes, contents.plans, strict=True)],
        dtype=np.int64,
    )
    flat = [part.ravel() for masks in contents.masks for part in masks]
    mask = np.concatenate(flat)
    if mask.nbytes > archive.MAX_BYTES // 2:
        raise TicketError(
            f"the mask has {mask.nbytes} bytes; files of up to "
            f"{archive.MAX_BYTES // 2} are read. Ask for a larger eps."
        )
    stream = io.BytesIO()
    archive.write(stream, _header(contents), [("layers", table), ("mask", mask)], _ARRAYS)
    return stream.getvalue()


def write(path: str | os.PathLike[str], data: bytes) -> int:
    """Write the file, replacing one of that name in one step. Returns its bytes.

    Raises:
        TicketError: the file cannot be written.
    """
    with replacing(path, "the embedding", TicketError) as stream:
        stream.write(data)
    return len(data)


def read(path: str | os.PathLike[str]) -> Contents:
    """Read a file; nothing is drawn yet.

    Raises:
        TicketError: the file is missing, damaged, too large or of another version.
    """
    try:
        with open(path, "rb") as stream:
            header, arrays = archive.read(stream, _ARRAYS)
        return _contents(header, arrays)
    except (Damaged, InvalidInput) as error:
        raise TicketError(f"{path}: not a valid embedding: {error}") from error
    except OSError as error:
        raise TicketError(f"{path}: cannot read the embedding: {error}") from error


def mask_shapes(shape: Shape, plan: LayerPlan, sides: int, copies: int) -> list[tuple[int, int]]:
    """Shapes of the packed mask and bias mask of a layer."""
    bits = shape.channels * sides * shape.taps * plan.samples
    rows = shape.out * copies
    return [(rows, -(-bits // 8)), (rows, -(-plan.bias_samples // 8))]


def _header(contents: Contents) -> dict[str, Any]:
    domain = contents.domain
    if isinstance(domain, Ball):
        where = {"ball": domain.radius.hex()}
    else:
        low, high = ends(domain)
        where = {"low": low.hex(), "high": high.hex()}
    return {
        "format": FORMAT,
        "version": VERSION,
        "generator": GENERATOR,
        "seed": contents.seed,
        "construction": contents.construction,
        "domain": where,
        "eps": float(contents.eps).hex(),
        "error": float(contents.error).hex(),
        "input_shape": list(contents.input_shape),
        "target_sha256": contents.target_digest,
        "weights_sha256": contents.weights_digest,
    }


def _contents(header: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Contents:
    if (header.get("format"), header.get("version")) != (FORMAT, VERSION):
        damaged(f"not an embedding of format version {VERSION}")
    if set(header) != _KEYS or set(arrays) != set(_ARRAYS):
        damaged("members or keys are missing or unknown")
    if header["generator"] != GENERATOR:
        damaged("unknown generator of weights")
    construction = header["construction"]
    if construction not in get_args(Construction):
        damaged("unknown construction")
    shapes, plans = _table(arrays["layers"])
    domain = _domain(header["domain"])
    copies = [1] * len(plans)
    if construction == "plus-one":
        copies = [plan.samples + SPARE_COPIES for plan in plans[1:]] + [1]
    return Contents(
        shapes=shapes,
        plans=plans,
        seed=_integer(header["seed"], _MAX_SEED),
        construction=construction,
        domain=domain,
        eps=_positive(header["eps"]),
        error=_positive(header["error"]),
        target_digest=_hexadecimal(header["target_sha256"]),
        input_shape=_input_shape(header["input_shape"], shapes[0]),
        weights_digest=_hexadecimal(header["weights_sha256"]),
        masks=_masks(arrays["mask"], shapes, plans, domain, copies),
    )


def _table(table: np.ndarray) -> tuple[tuple[Shape, ...], tuple[LayerPlan, ...]]:
    if table.shape[1] != _COLUMNS or not 1 <= len(table) <= _MAX_LAYERS:
        damaged("the table of layers has the wrong shape")
    shapes, plans = [], []
    for row in table.tolist():
        shape, plan = Shape(*row[:_SHAPE]), LayerPlan(*row[_SHAPE:])
        sizes = row[:5] + row[6:8]
        if min(sizes) < 1 or max(sizes) > _MAX_SIZE or not 0 <= shape.padding <= _MAX_SIZE:
            damaged("a layer's size is out of range")
        if not (
            LEAST_SAMPLES <= plan.samples <= MOST_SAMPLES
            and 0 <= plan.bias_samples <= MOST_SAMPLES
            and abs(plan.scale) <= _MAX_EXPONENT
            and abs(plan.scale + plan.bias_scale) <= _MAX_EXPONENT
        ):
            damaged("a layer's samples or scales are out of range")
        shapes.append(shape)
        plans.append(plan)
    _require_chain(shapes)
    return tuple(shapes), tuple(plans)


def _require_chain(shapes: Sequence[Shape]) -> None:
    """Every layer reads what the one before wrote; residual bodies end as they begin."""
    start = shapes[0]
    for before, shape in pairwise([shapes[0], *shapes]):
        if shape.height > shape.in_height + 2 * shape.padding or (
            shape.width > shape.in_width + 2 * shape.padding
        ):
            damaged("a kernel is larger than its image")
        if shape is shapes[0]:
            if shape.block != -1:
                damaged("a residual block at the input")
            continue
        if shape.block != before.block:
            _require_same_ends(start, before)
            start = shape
        if (shape.channels, shape.in_height, shape.in_width) != (before.out, *before.out_sides):
            damaged("a layer does not read what the one before it writes")
    _require_same_ends(start, shapes[-1])


def _require_same_ends(first: Shape, last: Shape) -> None:
    read = (first.channels, first.in_height, first.in_width)
    if last.block >= 0 and read != (last.out, *last.out_sides):
        damaged("a residual block changes the shape")


def _masks(
    flat: np.ndarray,
    shapes: Sequence[Shape],
    plans: Sequence[LayerPlan],
    domain: Even,
    copies: Sequence[int],
) -> tuple[tuple[Bits, Bits], ...]:
    masks = []
    at = products = 0
    for k, (shape, plan) in enumerate(zip(shapes, plans, strict=True)):
        sides = 2 if k == 0 and signed(domain) else 1
        pair = []
        for rows, width in mask_shapes(shape, plan, sides, copies[k]):
            size = rows * width
            products += 8 * size
            if at + size > len(flat) or products > _MAX_PRODUCTS:
                damaged("the mask is shorter than its layers say")
            pair.append(flat[at : at + size].reshape(rows, width))
            at += size
        masks.append(tuple(pair))
    if at != len(flat):
        damaged("the mask is longer than its layers say")
    return tuple(masks)


def _domain(value: object) -> Even:
    if isinstance(value, dict) and set(value) == {"ball"}:
        return Ball(_number(value["ball"]))
    if isinstance(value, dict) and set(value) == {"low", "high"}:
        return Box(_number(value["low"]), _number(value["high"]))
    return damaged("unknown domain")


def _input_shape(value: object, first: Shape) -> tuple[int, ...]:
    if not isinstance(value, list) or len(value) not in (1, 3):
        damaged("the input shape is neither flat nor an image")
    shape = tuple(_integer(size, _MAX_SIZE) for size in value)
    image = shape if len(shape) == 3 else (shape[0], 1, 1)
    if image != (first.channels, first.in_height, first.in_width):
        damaged("the input shape is not what the first layer reads")
    return shape


def _integer(value: object, most: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < most:
        damaged(f"{value!r} is not an integer from 0 to {most - 1}")
    return value


def _number(value: object) -> float:
    try:
        number = float.fromhex(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError) as error:
        raise Damaged(f"{value!r} is not a number in hexadecimal") from error
    if number.hex() != value or not np.isfinite(number):
        damaged(f"{value!r} is not a finite number as float.hex writes it")
    return number


def _positive(value: object) -> float:
    number = _number(value)
    if number < 0.0:
        damaged(f"{value!r} is negative")
    return number


def _hexadecimal(value: object) -> str:
    if not isinstance(value, str) or len(value) != 64 or set(value) - set("0123456789abcdef"):
        damaged(f"{value!r} is not a SHA-256")
    return value
