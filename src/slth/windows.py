"""How kernels move over images, and the sparse matrices of that.

Only what a kernel meets of the image itself is written out: no entry for padding, no list of taps
that is longer than the matrix.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray

# Top, left, bottom, right.
Sides = tuple[int, int, int, int]


@dataclass(frozen=True)
class Window:
    """How a kernel moves over an image: sizes (rows, columns), padding on four sides."""

    kernel: tuple[int, ...]
    stride: tuple[int, int]
    padding: Sides

    def steps(self, image: tuple[int, ...]) -> tuple[int, int]:
        """Rows and columns of places."""
        top, left, bottom, right = self.padding
        rows, columns = (
            (size + pad - kernel) // stride + 1
            for size, pad, kernel, stride in zip(
                image, (top + bottom, left + right), self.kernel, self.stride, strict=True
            )
        )
        return rows, columns

    def meetings(self, image: tuple[int, ...]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """How many rows of the image each row of places meets, and how many columns each column."""
        rows, columns = (
            stop - start for start, stop in (self._spans(axis, image) for axis in range(2))
        )
        return rows, columns

    def _spans(
        self, axis: int, image: tuple[int, ...]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Rows (columns) of the image that each row (column) of places meets: from start to stop,
        equal where it meets none."""
        begin = self._begins(axis, self.steps(image)[axis])
        start = np.clip(begin, 0, image[axis])
        return start, np.clip(begin + self.kernel[axis], start, image[axis])

    def pattern(self, image: tuple[int, ...]) -> Pattern:
        """What of one channel each place meets."""
        (top, bottom), (left, right) = (self._spans(axis, image) for axis in range(2))
        rows, columns = self.steps(image)
        wide = np.tile(right - left, rows)
        counts = np.repeat(bottom - top, columns) * wide
        # 32 bits hold every index (the images and matrices that `output_shape` lets through).
        place = np.repeat(np.arange(rows * columns, dtype=np.int32), counts)
        start = np.concatenate([[0], np.cumsum(counts)])
        within = np.arange(start[-1], dtype=np.int32)
        within -= start.astype(np.int32)[place]
        down, across = np.divmod(within, wide.astype(np.int32)[place])
        down += np.repeat(top, columns).astype(np.int32)[place]
        across += np.tile(left, rows).astype(np.int32)[place]
        source = down * np.int32(image[1]) + across
        down -= np.repeat(self._begins(0, rows), columns).astype(np.int32)[place]
        across -= np.tile(self._begins(1, columns), rows).astype(np.int32)[place]
        return Pattern(counts, source, down, across)

    def _begins(self, axis: int, steps: int) -> NDArray[np.int64]:
        """The first row (column) under the kernel at each row (column) of places."""
        # With one place there is no step, and any number may be stated for it.
        stride = self.stride[axis] if steps > 1 else 0
        return np.arange(steps) * stride - self.padding[axis]


@dataclass(frozen=True, eq=False)
class Pattern:
    """The entries of the matrix of one channel, place by place, in the order of the image.

    Attributes:
        counts: int64 [places], how many entries each place has.
        source: int32 [entries], the index into the flattened channel.
        down, across: int32 [entries], row and column of the kernel that is laid there.
    """

    counts: NDArray[np.int64]
    source: NDArray[np.int32]
    down: NDArray[np.int32]
    across: NDArray[np.int32]


def conv_matrix(weight: Any, image: tuple[int, ...], window: Window) -> Any:
    """The matrix of a convolution. Every entry is one weight: nothing is added or rounded.

    Args:
        weight: [out, in, height, width].
        image: [in, height, width].

    Returns:
        csr_array [out places, in height width], rows and columns flattened in C order.
    """
    outs, ins = weight.shape[:2]
    pattern = window.pattern(image[1:])
    tap = pattern.down * np.int32(weight.shape[3]) + pattern.across
    area, each = math.prod(image[1:]), pattern.counts
    # A row of the matrix reads its place in one channel after the other.
    start = np.cumsum(each) - each
    place = np.repeat(np.arange(len(each), dtype=np.int32), each * ins)
    within = np.arange(len(place), dtype=np.int32)
    within -= (start * ins).astype(np.int32)[place]
    channel, entry = np.divmod(within, each.astype(np.int32)[place])
    entry += start.astype(np.int32)[place]
    columns = channel * np.int32(area) + pattern.source[entry]
    which = channel * np.int32(math.prod(weight.shape[2:])) + tap[entry]
    values = weight.reshape(outs, -1)[:, which]
    return _csr(values, columns, np.tile(each * ins, outs), ins * area)


def pool_matrix(shares: Any, pattern: Pattern, channels: int, area: int) -> Any:
    """The matrix of a pool: shares[place] at all that the place meets, within each channel.

    Returns:
        csr_array [channels places, channels area].
    """
    values = np.tile(np.repeat(shares, pattern.counts), channels)
    first = np.arange(channels, dtype=np.int32) * np.int32(area)
    columns = first[:, None] + pattern.source
    return _csr(values, columns, np.tile(pattern.counts, channels), channels * area)


def _csr(values: Any, columns: Any, counts: Any, width: int) -> Any:
    """Rows of `counts` entries; `columns` is repeated for all of `values`."""
    start = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
    flat = np.broadcast_to(columns, values.shape) if values.ndim > columns.ndim else columns
    shape = (len(counts), width)
    return scipy.sparse.csr_array((values.ravel(), flat.ravel(), start), shape=shape)
