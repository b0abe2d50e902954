"""Subset sums of a whole layer, in blocks of rows and on several threads.

A block's random weights are drawn, solved and dropped again: memory holds the mask and the
effective weights only. Every row depends on the seed alone, so answers do not depend on the
number of threads or the size of blocks.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from slth.embed.samples import Layer
from slth.frozen import Rebuilt
from slth.layers import FloatArray
from slth.pruning.weights.subset_sum import subset_sum

# Random weights of one block: 16 MiB of products.
_BLOCK = 1 << 21
# Problems of one block at 20 samples: a tenth of a second.
_PROBLEMS = 1 << 14

Bits = NDArray[np.uint8]
Tick = Callable[[int], None]


@dataclass(frozen=True, eq=False)
class Solved(Rebuilt):
    """The mask of a layer and what it makes.

    Attributes:
        mask: uint8 [rows, bytes], bits of [channels, taps, n] in the order of Layer.draw.
        bias_mask: uint8 [rows, bytes], bits of the n_b bias samples.
        kernel: float64 [rows, channels, taps], exact sums of the kept products.
        bias: float64 [rows], the same for the bias.
        stacked: float64 [rows, stacked channels, taps], the kept random weights themselves behind
            a layer of copies, else None.
        kept: number of random weights kept.
        digest: SHA-256 of the rows' SHA-256 over the products seen, little-endian float64.
    """

    mask: Bits
    bias_mask: Bits
    kernel: FloatArray
    bias: FloatArray
    stacked: FloatArray | None
    kept: int
    digest: bytes


def solve_layer(
    layer: Layer, kernel: FloatArray, bias: FloatArray, workers: int, tick: Tick
) -> Solved:
    """Prune a layer to kernel [out, channels with a pool, taps] and bias [out]: for every weight
    the subset of its samples with the nearest sum."""

    def choose(products: FloatArray, targets: FloatArray) -> NDArray[np.bool_]:
        flat = products.reshape(targets.size, products.shape[-1])
        wanted = targets.ravel()
        masks = np.zeros(flat.shape, dtype=bool)
        live = np.flatnonzero(wanted)
        if len(live):
            masks[live] = subset_sum(flat[live], wanted[live]).masks
        return masks.reshape(products.shape)

    def block(start: int, stop: int) -> _Block:
        units = np.arange(start, stop) // layer.copies
        products, slots = layer.draw(start, stop)
        masks = choose(products, kernel[units])
        bias_products, _ = layer.draw_bias(start, stop)
        bias_masks = choose(bias_products, bias[units][:, None, None])
        return _Block.of(layer, products, slots, masks, bias_products, bias_masks)

    return _gathered(layer, block, workers, tick)


def restore(layer: Layer, mask: Bits, bias_mask: Bits, workers: int) -> Solved:
    """What a mask makes of a layer whose weights are drawn again."""

    def block(start: int, stop: int) -> _Block:
        products, slots = layer.draw(start, stop)
        bias_products, _ = layer.draw_bias(start, stop)
        masks = unpacked(mask[start:stop], products.shape)
        bias_masks = unpacked(bias_mask[start:stop], bias_products.shape)
        return _Block.of(layer, products, slots, masks, bias_products, bias_masks)

    return _gathered(layer, block, workers, lambda _: None)


def unpacked(bits: Bits, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """bool `shape` from the packed rows of Solved.mask."""
    count = int(np.prod(shape[1:]))
    return np.unpackbits(bits, axis=1, count=count).astype(bool).reshape(shape)


@dataclass(frozen=True, eq=False)
class _Block:
    mask: Bits
    bias_mask: Bits
    kernel: FloatArray
    bias: FloatArray
    stacked: FloatArray | None
    kept: int
    digests: bytes

    @classmethod
    def of(
        cls,
        layer: Layer,
        products: FloatArray,
        slots: Bits,
        masks: NDArray[np.bool_],
        bias_products: FloatArray,
        bias_masks: NDArray[np.bool_],
    ) -> _Block:
        rows = len(products)
        kept = np.where(masks, products, 0.0)
        digests = [
            hashlib.sha256(
                products[r].astype("<f8").tobytes() + bias_products[r].astype("<f8").tobytes()
            ).digest()
            for r in range(rows)
        ]
        return cls(
            np.packbits(masks.reshape(rows, -1), axis=1),
            np.packbits(bias_masks.reshape(rows, -1), axis=1),
            kept.sum(axis=-1),
            np.where(bias_masks, bias_products, 0.0).sum(axis=(1, 2, 3)),
            _stacked(layer, kept, slots) if layer.stacked else None,
            int(masks.sum()) + int(bias_masks.sum()),
            b"".join(digests),
        )


def _stacked(layer: Layer, kept: FloatArray, slots: Bits) -> FloatArray:
    """The kept weights at their units: float64 [rows, channels * copies, taps]."""
    rows, channels, taps, _ = kept.shape
    full = np.zeros((rows, channels, taps, layer.stacked))
    np.put_along_axis(full, slots.astype(np.int64), kept, axis=-1)
    return full.transpose(0, 1, 3, 2).reshape(rows, -1, taps)


def _gathered(
    layer: Layer, block: Callable[[int, int], _Block], workers: int, tick: Tick
) -> Solved:
    done = []
    for part in _ordered(layer, block, workers):
        done.append(part)
        tick(len(part.kernel))
    stacked = [part.stacked for part in done if part.stacked is not None]
    return Solved(
        np.concatenate([part.mask for part in done]),
        np.concatenate([part.bias_mask for part in done]),
        np.concatenate([part.kernel for part in done]),
        np.concatenate([part.bias for part in done]),
        np.concatenate(stacked) if stacked else None,
        sum(part.kept for part in done),
        hashlib.sha256(b"".join(part.digests for part in done)).digest(),
    )


def _ordered(layer: Layer, block: Callable[[int, int], _Block], workers: int) -> Iterator[_Block]:
    """The blocks in order, at most a few ahead; an interrupt drops those not begun."""
    n = layer.plan.samples
    problems = layer.channels * layer.shape.taps
    most = min(_BLOCK // n, _PROBLEMS >> max(0, (n - 20) // 2))
    step = max(1, most // problems)
    starts = list(range(0, layer.rows, step))
    with ThreadPoolExecutor(workers) as pool:
        try:
            futures = []
            for at, start in enumerate(starts):
                futures.append(pool.submit(block, start, min(start + step, layer.rows)))
                if at >= 2 * workers:
                    yield futures[at - 2 * workers].result()
            for future in futures[-2 * workers :]:
                yield future.result()
        finally:
            pool.shutdown(cancel_futures=True)
