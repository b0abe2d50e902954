"""All k-subsets of a few samples for k = 1, 2, 3, ..., sixteen sums at a time.

In colexicographic order the k-subsets whose largest index is i are the first C(i, k - 1) subsets of
size k - 1, each with i added. So the list of all sums of size k is that of size k - 1, prefix after
prefix, plus one sample each; a vector of sums is made, stored for the next size and compared with
the target in four instructions. A subset is known by its place in the list.
"""

from __future__ import annotations

import math

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

# Sums of one step. Lists need this much room behind them.
LANES = 16
# C(n, k) for n, k <= 64, at most 2^62.
BINOMIAL = np.array(
    [[min(math.comb(n, k), 1 << 62) for k in range(65)] for n in range(65)], dtype=np.int64
)


@intrinsic
def _add_row(typingctx, old, start, step, new, place, target, window):
    word, real = types.int64, old.dtype
    signature = word(old, word, real, new, word, real, real)

    def codegen(context, builder, signature, args):
        kind = context.get_value_type(real)
        vector = ir.VectorType(kind, LANES)

        def splat(value):
            undefined = ir.Constant(vector, ir.Undefined)
            first = builder.insert_element(undefined, value, ir.Constant(ir.IntType(32), 0))
            lanes = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)
            return builder.shuffle_vector(first, undefined, lanes)

        def at(which, index):
            data = context.make_array(signature.args[which])(context, builder, args[which]).data
            return builder.bitcast(builder.gep(data, [index]), vector.as_pointer())

        size = real.bitwidth // 8
        sums = builder.fadd(builder.load(at(0, args[1]), align=size), splat(args[2]))
        builder.store(sums, at(3, args[4]), align=size)
        missing = builder.fsub(sums, splat(args[5]))
        name = f"llvm.fabs.v{LANES}f{real.bitwidth}"
        absolute = builder.module.globals.get(name) or ir.Function(
            builder.module, ir.FunctionType(vector, [vector]), name
        )
        near = builder.fcmp_ordered("<=", builder.call(absolute, [missing]), splat(args[6]))
        return builder.zext(builder.bitcast(near, ir.IntType(LANES)), ir.IntType(64))

    return signature, codegen


@njit(cache=True, nogil=True)
def subset_at(place, k, n):
    """The k-subset of n at that place of the colexicographic order, as the bits of a word."""
    mask = np.uint64(0)
    top = n - 1
    for size in range(k, 0, -1):
        while BINOMIAL[top, size] > place:
            top -= 1
        mask |= np.uint64(1) << np.uint64(top)
        place -= BINOMIAL[top, size]
    return mask


@njit(cache=True, nogil=True)
def add_row(old, start, step, new, place, target, window):
    """new[place + u] = old[start + u] + step, u = 0 .. 15.

    Returns a word whose bit u says |new[place + u] - target| <= window.
    """
    return _add_row(  # pyright: ignore[reportCallIssue]
        old, start, step, new, place, target, window
    )
