"""The matrices of windows against sums written out, and what a large window costs."""

import tracemalloc

import numpy as np
import pytest

import slth
from slth.layers import AveragePool, Conv, output_shape
from slth.windows import Window, conv_matrix


def drawn(rng):
    """Sizes of an image, and a window of any kernel, stride and padding."""
    image = tuple(int(size) for size in rng.integers(1, 7, 2))
    kernel = tuple(int(size) for size in rng.integers(1, 9, 2))
    stride = tuple(int(step) for step in rng.integers(1, 5, 2))
    return image, Window(kernel, stride, tuple(int(pad) for pad in rng.integers(0, 6, 4)))


def laid(padded, window, row, column):
    """What is under the kernel at a place."""
    top, left = row * window.stride[0], column * window.stride[1]
    return padded[..., top : top + window.kernel[0], left : left + window.kernel[1]]


def around(array, window, value):
    top, left, bottom, right = window.padding
    return np.pad(array, ((0, 0), (top, bottom), (left, right)), constant_values=value)


def test_convolutions_and_pools_are_the_sums_that_they_stand_for():
    rng, seen = np.random.default_rng(0), 0
    for _ in range(400):
        image, window = drawn(rng)
        rows, columns = window.steps(image)
        if min(rows, columns) < 1:
            continue
        seen += 1
        outs, ins = (int(size) for size in rng.integers(1, 4, 2))
        weight = rng.integers(-9, 9, (outs, ins, *window.kernel)).astype(float)
        x = rng.integers(-9, 9, (ins, *image)).astype(float)
        matrix = conv_matrix(weight, (ins, *image), window)
        padded = around(x, window, 0.0)
        places = [(row, column) for row in range(rows) for column in range(columns)]
        sums = [[(laid(padded, window, *p) * kernel).sum() for p in places] for kernel in weight]
        assert (matrix @ x.ravel() == np.ravel(sums)).all()
        assert matrix.has_canonical_format
        # Nothing is stored but what meets the image.
        met = [int(counts.sum()) for counts in window.meetings(image)]
        assert matrix.nnz == outs * ins * met[0] * met[1]
        for counted in (True, False):
            pool = AveragePool(window.kernel, window.stride, window.padding, counted)
            values = slth.DeepNetwork([pool], None, (ins, *image))(x)
            empty = around(x, window, 0.0 if counted else np.nan)
            for channel, part in enumerate(values.reshape(ins, -1)):
                for value, place in zip(part, places, strict=True):
                    under = laid(empty[channel], window, *place)
                    under = under[~np.isnan(under)]
                    assert value == pytest.approx(under.mean() if under.size else 0.0, abs=1e-14)
    assert seen > 200


def test_a_stride_of_any_size_where_there_is_one_place():
    pool = AveragePool(2, 10**30)
    assert slth.DeepNetwork([pool], None, (1, 2, 2))([1.0, 2.0, 3.0, 4.0]) == 2.5


def test_a_mean_over_a_large_image_takes_memory_in_proportion():
    # Matrix and rounding: 20 bytes an entry; and what it takes to build them.
    side = 1000
    tracemalloc.start()
    (step,) = slth.DeepNetwork([AveragePool()], None, (1, side, side)).steps
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert step.matrix.nnz == side**2
    assert peak < 80 * side**2


def test_only_what_meets_the_image_is_counted_against_the_limit():
    large = AveragePool(5000, 1, (2500, 2500, 2499, 2499))
    assert output_shape(large, (1, 1, 1)) == (1, 1, 1)
    assert slth.DeepNetwork([large], None, (1, 1, 1))([2.0]) == 2.0 / 5000**2
    with pytest.raises(slth.InvalidInput, match="products"):
        output_shape(AveragePool(1000, 1), (1, 2000, 2000))
    with pytest.raises(slth.InvalidInput, match="products"):
        output_shape(Conv(np.ones((20_000, 1, 1, 1))), (1, 50, 50))
