"""Sorted lists of signed sums, and the closest pair of two of them: eight keys at a time.

The loops are written as LLVM vector code, because they need what the compiler does not find by
itself: a bitonic merging network in registers, and a staircase of 8 x 8 blocks. With AVX-512 or
AVX2 this is two to four times as fast as plain_lists.py; without them LLVM emulates it, slowly.
"""

from __future__ import annotations

import llvmlite.binding
import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import config
from numba.extending import intrinsic

from slth.pruning.weights import plain_lists

LANES = 8
# What pads a list: above every sum, below overflow when a sum is added or subtracted.
PADDING = np.int64(1) << np.int64(61)

_WORD = ir.IntType(64)
_VECTOR = ir.VectorType(_WORD, LANES)
_REVERSED = list(range(LANES))[::-1]


def supported() -> bool:
    """Whether kernels are compiled for a processor with vectors of four or eight 64-bit lanes."""
    if getattr(config, "CPU_NAME", None) not in (None, "host"):
        return False
    features = llvmlite.binding.get_host_cpu_features()
    return bool(features.get("avx2", False))


def _number(value: int) -> ir.Constant:
    return ir.Constant(_WORD, value)


def _shuffle(builder, left, right, order):
    lanes = ir.Constant(ir.VectorType(ir.IntType(32), len(order)), order)
    return builder.shuffle_vector(left, right, lanes)


def _reverse(builder, vector):
    return _shuffle(builder, vector, ir.Constant(_VECTOR, ir.Undefined), _REVERSED)


def _splat(builder, word):
    undefined = ir.Constant(_VECTOR, ir.Undefined)
    first = builder.insert_element(undefined, word, ir.Constant(ir.IntType(32), 0))
    return _shuffle(builder, first, undefined, [0] * LANES)


def _declare(builder, name, *arguments):
    kind = ir.FunctionType(arguments[0], arguments[1:])
    found = builder.module.globals.get(name)
    return found if found is not None else ir.Function(builder.module, kind, name)


def _smaller(builder, left, right):
    return builder.call(_declare(builder, "llvm.smin.v8i64", *[_VECTOR] * 3), [left, right])


def _larger(builder, left, right):
    return builder.call(_declare(builder, "llvm.smax.v8i64", *[_VECTOR] * 3), [left, right])


def _sort_halves(builder, low, high):
    """Sort two vectors of eight lanes, each a bitonic sequence, by exchanges at 4, 2 and 1.

    Both are sorted at once: before each exchange the lanes are dealt out so that one vector holds
    the lower partners of all eight exchanges and the other the upper ones.
    """
    # places[k] is which of the 16 keys sits in lane k of the two vectors together.
    vectors, places = (low, high), list(range(2 * LANES))
    for distance in (4, 2, 1):
        lower = [place for place in range(2 * LANES) if not place & distance]
        wanted = lower + [place + distance for place in lower]
        left, right = _deal(builder, vectors, places, wanted)
        vectors = (_smaller(builder, left, right), _larger(builder, left, right))
        places = wanted
    return _deal(builder, vectors, places, list(range(2 * LANES)))


def _deal(builder, vectors, places, wanted):
    left, right = vectors
    lanes = [places.index(place) for place in wanted]
    return (
        _shuffle(builder, left, right, lanes[:LANES]),
        _shuffle(builder, left, right, lanes[LANES:]),
    )


def _data(context, builder, kind, value):
    return context.make_array(kind)(context, builder, value=value).data


def _load(builder, pointer, index):
    place = builder.gep(pointer, [index])
    return builder.load(builder.bitcast(place, _VECTOR.as_pointer()), align=8)


def _store(builder, vector, pointer, index):
    place = builder.gep(pointer, [index])
    builder.store(vector, builder.bitcast(place, _VECTOR.as_pointer()), align=8)


class _Chain:
    """One merge inside the loop of `_emit_merges`: where it stands in both of its inputs."""

    def __init__(self, builder, old, step, new):
        self.old, self.step, self.new = old, step, new
        self.down = builder.neg(step)
        self.first = builder.add(_load(builder, old, _number(0)), _splat(builder, self.down))

    def enter(self, builder, before):
        """The loop's variables: the eight smallest keys in hand, the next indices."""
        self.held = builder.phi(_VECTOR)
        self.held.add_incoming(self.first, before)
        self.i = builder.phi(_WORD)
        self.i.add_incoming(_number(LANES), before)
        self.j = builder.phi(_WORD)
        self.j.add_incoming(_number(0), before)

    def turn(self, builder, k, last, body):
        """Merge in eight more keys from the input with the smaller head; store the lower eight."""
        head_i = builder.load(builder.gep(self.old, [self.i]), align=8)
        head_j = builder.load(builder.gep(self.old, [self.j]), align=8)
        gap = builder.sub(builder.add(head_j, self.step), builder.add(head_i, self.down))
        take_j = builder.ashr(gap, _number(63))
        chosen = builder.xor(self.i, builder.and_(builder.xor(self.i, self.j), take_j))
        keep = builder.not_(take_j)
        step = builder.sub(builder.xor(self.step, keep), keep)
        more = builder.add(_load(builder, self.old, chosen), _splat(builder, step))
        more = _reverse(builder, more)
        low, high = _sort_halves(
            builder, _smaller(builder, self.held, more), _larger(builder, self.held, more)
        )
        _store(builder, low, self.new, k)
        mirrored = builder.sub(ir.Constant(_VECTOR, [0] * LANES), _reverse(builder, low))
        _store(builder, mirrored, self.new, builder.sub(builder.sub(last, k), _number(LANES - 1)))
        advance = builder.and_(take_j, _number(LANES))
        self.j.add_incoming(builder.add(self.j, advance), body)
        self.i.add_incoming(builder.add(self.i, builder.sub(_number(LANES), advance)), body)
        self.held.add_incoming(high, body)


def _emit_merges(builder, chains, m):
    """The loop that runs all chains side by side, 8 keys a turn."""
    last = builder.sub(builder.mul(m, _number(2)), _number(1))
    before = builder.block
    body = builder.append_basic_block("merge")
    end = builder.append_basic_block("merged")
    builder.branch(body)
    builder.position_at_end(body)
    k = builder.phi(_WORD)
    k.add_incoming(_number(0), before)
    for chain in chains:
        chain.enter(builder, before)
    for chain in chains:
        chain.turn(builder, k, last, body)
    following = builder.add(k, _number(LANES))
    k.add_incoming(following, body)
    builder.cbranch(builder.icmp_signed("<", following, m), body, end)
    builder.position_at_end(end)


@intrinsic
def _merge_vectors(typingctx, old, step, new, m):
    """plain_lists.merge; m a multiple of 8, old[m:m+8] padded."""
    signature = types.void(old, types.int64, new, types.int64)

    def codegen(context, builder, signature, args):
        arrays = {k: _data(context, builder, signature.args[k], args[k]) for k in (0, 2)}
        _emit_merges(builder, [_Chain(builder, arrays[0], args[1], arrays[2])], args[3])
        return context.get_dummy_value()

    return signature, codegen


@intrinsic
def _merge_vectors_both(typingctx, old_a, step_a, new_a, old_b, step_b, new_b, m):
    """plain_lists.merge_both, the two merges interleaved so that neither waits for itself."""
    word = types.int64
    signature = types.void(old_a, word, new_a, old_b, word, new_b, word)

    def codegen(context, builder, signature, args):
        arrays = {k: _data(context, builder, signature.args[k], args[k]) for k in (0, 2, 3, 5)}
        chains = [
            _Chain(builder, arrays[0], args[1], arrays[2]),
            _Chain(builder, arrays[3], args[4], arrays[5]),
        ]
        _emit_merges(builder, chains, args[6])
        return context.get_dummy_value()

    return signature, codegen


@intrinsic
def _block_distance(typingctx, a, i, b, j, goal):
    """min |a[i+u] + b[j+v] - goal| over u, v in 0 .. 7."""
    word = types.int64
    signature = word(a, word, b, word, word)

    def codegen(context, builder, signature, args):
        left = _data(context, builder, signature.args[0], args[0])
        right = _data(context, builder, signature.args[2], args[2])
        row = builder.sub(_load(builder, left, args[1]), _splat(builder, args[4]))
        absolute = _declare(builder, "llvm.abs.v8i64", _VECTOR, _VECTOR, ir.IntType(1))
        nearest = None
        for lane in range(LANES):
            # A broadcast from memory is part of the addition; one from a register is not.
            place = builder.gep(right, [builder.add(args[3], _number(lane))])
            shifted = builder.add(row, _splat(builder, builder.load(place, align=8)))
            distance = builder.call(absolute, [shifted, ir.Constant(ir.IntType(1), 0)])
            nearest = distance if nearest is None else _smaller(builder, nearest, distance)
        reduce = _declare(builder, "llvm.vector.reduce.smin.v8i64", _WORD, _VECTOR)
        return builder.call(reduce, [nearest])

    return signature, codegen


@njit(cache=True, nogil=True)
def merge_both(old_a, step_a, new_a, old_b, step_b, new_b, m):
    """Two independent merges; every list has room for 8 more keys than it holds."""
    if m < LANES:
        plain_lists.merge_both(old_a, step_a, new_a, old_b, step_b, new_b, m)
        return
    for k in range(m, m + LANES):
        old_a[k] = PADDING
        old_b[k] = PADDING
    _merge_vectors_both(  # pyright: ignore[reportCallIssue]
        old_a, step_a, new_a, old_b, step_b, new_b, m
    )


@njit(cache=True, nogil=True)
def merge(old, step, new, m):
    """One merge; every list has room for 8 more keys than it holds."""
    if m < LANES:
        plain_lists.merge(old, step, new, m)
        return
    for k in range(m, m + LANES):
        old[k] = PADDING
    _merge_vectors(old, step, new, m)  # pyright: ignore[reportCallIssue]


@njit(cache=True, nogil=True)
def closest_pair(a, size_a, b, size_b, goal, stop):
    """(distance, i, j) with |a[i] + b[j] - goal| smallest, or the first block's found <= stop.

    Blocks as in plain_lists.closest_pair: if the largest sum of the block of a with the least key
    of the block of b is below the goal, smaller keys of b lie further off for all of the block of
    a; otherwise larger keys of a do for all of the block of b.
    """
    if size_a < LANES or size_b < LANES or size_a % LANES or size_b % LANES:
        return plain_lists.closest_pair(a, size_a, b, size_b, goal, stop)
    best = np.int64(1) << np.int64(62)
    best_i = 0
    best_j = 0
    i = 0
    j = size_b - LANES
    while i < size_a and j >= 0:
        distance = _block_distance(a, i, b, j, goal)  # pyright: ignore[reportCallIssue]
        if distance < best:
            best = distance
            best_i = i
            best_j = j
            if best <= stop:
                break
        below = np.int64(a[i + LANES - 1] + b[j] < goal)
        i += LANES * below
        j -= LANES * (1 - below)
    for u in range(best_i, best_i + LANES):
        for v in range(best_j, best_j + LANES):
            if abs(a[u] + b[v] - goal) == best:
                return best, u, v
    return best, best_i, best_j
