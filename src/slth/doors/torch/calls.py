"""Functions and methods in a traced torch graph, each as what it does to a chain."""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from slth.doors.graph_value import GraphValue, reciprocal, unlike
from slth.doors.torch.layers import averaged, convolution, dropped, flattened, linear, softmax
from slth.doors.torch.library import array_of
from slth.errors import require_number
from slth.layers import AveragePool, FloatArray

# What the operations below read of their named arguments; another would be left out in silence.
_READ = {
    "input", "other", "weight", "bias", "negative_slope", "inplace", "p", "training", "start_dim",
    "end_dim", "dim", "kernel_size", "stride", "padding", "ceil_mode", "count_include_pad",
    "divisor_override", "output_size", "alpha", "rounding_mode", "shape", "memory_format",
    "_stacklevel", "name", "index", "dilation", "groups",
}  # fmt: skip


@dataclass(frozen=True)
class Size:
    """Sizes of a value, which only shapes are made of; one of them if it is a number."""

    sizes: tuple[int, ...] | int


def constant_of(traced: Any, node: Any) -> Any:
    """The tensor that a get_attr node names."""
    owner = traced
    for name in node.target.split("."):
        owner = getattr(owner, name)
    return owner


@dataclass(frozen=True)
class Call:
    """One node with the values before it."""

    torch: Any
    values: dict[str, Any]
    node: Any
    where: str

    def argument(self, name: str, place: int, default: Any = None) -> Any:
        """An argument by name or place, as the value that it has."""
        given: Any = self.node.kwargs.get(name, default)
        if len(self.node.args) > place:
            given = self.node.args[place]
        return self.value(given)

    def value(self, given: Any) -> Any:
        """The value of a node, or the constant itself."""
        return self.values.get(given.name) if isinstance(given, self.torch.fx.Node) else given

    def chain(self, given: Any) -> GraphValue:
        """A value that depends on the input."""
        value = self.value(given)
        if not isinstance(value, GraphValue):
            raise unlike(self.where, f"{given!r}", "a value that depends on the input")
        return value

    def constant(self, value: Any) -> FloatArray | None:
        """A constant of the graph; None if it depends on the input."""
        if isinstance(value, self.torch.Tensor):
            return array_of(value)
        if isinstance(value, float):
            return np.asarray(value)
        return (
            np.asarray(require_number("constant", int(value))) if isinstance(value, int) else None
        )

    def weights(self, name: str, place: int) -> FloatArray:
        """A constant argument."""
        found = self.constant(self.argument(name, place))
        if found is None:
            raise unlike(self.where, f"{name} that depends on the input", "constant weights")
        return found

    def result(self) -> Any:
        """What the node computes: a chain, or sizes."""
        target = self.node.target
        first = self.argument("input", 0)
        if target == "size" or (target is getattr and self.argument("name", 1) == "shape"):
            sizes = self.chain(first).shape
            axis = None if target is getattr else self.argument("dim", 1)
            return Size(sizes if axis is None else sizes[axis])
        if target is operator.getitem and isinstance(first, Size):
            return Size(first.sizes[self.argument("index", 1)])  # type: ignore[index]
        done = next((done for targets, done in self._table() if target in targets), None)
        if done is None:
            name = target if isinstance(target, str) else getattr(target, "__name__", repr(target))
            raise unlike(self.where, name, "an operation that slth knows")
        for name, given in self.node.kwargs.items():
            if name not in _READ and given is not None:
                raise unlike(self.where, f"the argument {name}", "the operation without it")
        return done()

    def _table(self) -> list[tuple[tuple[Any, ...], Callable[[], GraphValue]]]:
        torch, functional = self.torch, self.torch.nn.functional
        return [
            ((operator.add, operator.iadd, torch.add, "add", "add_"), self._sum),
            ((operator.sub, operator.isub, torch.sub, "sub", "sub_"), self._difference),
            ((operator.mul, operator.imul, torch.mul, "mul", "mul_"), self._product),
            ((operator.truediv, operator.itruediv, torch.div, "div", "div_"), self._quotient),
            ((operator.neg, torch.neg, "neg"), lambda: self._first().scaled(-1.0, self.where)),
            ((operator.matmul, torch.matmul, torch.mm, "matmul", "mm"), self._matmul),
            ((functional.linear,), self._linear),
            ((functional.conv2d,), self._convolution),
            (
                (functional.relu, functional.relu_, torch.relu, torch.relu_, "relu", "relu_"),
                lambda: self._first().activated(0.0, self.where),
            ),
            (
                (functional.leaky_relu, functional.leaky_relu_),
                lambda: self._first().activated(
                    float(self.argument("negative_slope", 1, 0.01)), self.where
                ),
            ),
            ((torch.flatten, "flatten"), self._flattened),
            (("view", "reshape", torch.reshape), self._viewed),
            ((functional.dropout,), self._dropped),
            ((functional.softmax, torch.softmax, "softmax"), self._softmax),
            (
                (torch.sigmoid, functional.sigmoid, "sigmoid"),
                lambda: self._first().ended("sigmoid", self.where),
            ),
            ((functional.avg_pool2d,), self._pooled),
            ((functional.adaptive_avg_pool2d,), self._pooled_whole),
            (("contiguous", "clone", "detach"), self._first),
        ]

    def _first(self) -> GraphValue:
        value = self.argument("input", 0)
        if not isinstance(value, GraphValue):
            raise unlike(self.where, f"{value!r}", "a value that depends on the input")
        return value

    def _sides(self) -> tuple[Any, Any]:
        if self.node.kwargs.get("alpha", 1) != 1 or self.node.kwargs.get("rounding_mode"):
            raise unlike(self.where, "alpha or rounding_mode", "the plain operation")
        return self.argument("input", 0), self.argument("other", 1)

    def _sum(self) -> GraphValue:
        left, right = self._sides()
        for one, other in ((left, right), (right, left)):
            constant = self.constant(other)
            if isinstance(one, GraphValue) and constant is not None:
                return one.shifted(constant, self.where)
        if isinstance(left, GraphValue) and isinstance(right, GraphValue):
            return left.plus(right, self.where)
        raise unlike(self.where, "a sum of constants", "one in the module's state")

    def _difference(self) -> GraphValue:
        left, right = self._sides()
        subtracted, start = self.constant(right), self.constant(left)
        if isinstance(left, GraphValue) and subtracted is not None:
            return left.shifted(-subtracted, self.where)
        if isinstance(right, GraphValue) and start is not None:
            return right.scaled(-1.0, self.where).shifted(start, self.where)
        raise unlike(self.where, "a difference of two layers' outputs", "one constant side")

    def _product(self) -> GraphValue:
        left, right = self._sides()
        for one, other in ((left, right), (right, left)):
            constant = self.constant(other)
            if isinstance(one, GraphValue) and constant is not None:
                return one.scaled(constant, self.where)
        raise unlike(self.where, "a product of two layers' outputs", "one constant side")

    def _quotient(self) -> GraphValue:
        left, right = self._sides()
        divisor = self.constant(right)
        if not isinstance(left, GraphValue) or divisor is None:
            raise unlike(self.where, "a division by a layer's output", "a constant divisor")
        inverse, off = reciprocal(divisor, self.where)
        return left.scaled(inverse, self.where, off)

    def _matmul(self) -> GraphValue:
        value, weight = self._first(), self.weights("other", 1)
        if weight.ndim != 2:
            raise unlike(self.where, f"weights of shape {weight.shape}", "a matrix")
        return linear(value, weight.T, None, self.where)

    def _linear(self) -> GraphValue:
        weight, bias = self.weights("weight", 1), self.argument("bias", 2)
        known = None if bias is None else self.weights("bias", 2)
        return linear(self._first(), weight, known, self.where)

    def _convolution(self) -> GraphValue:
        weight, bias = self.weights("weight", 1), self.argument("bias", 2)
        return convolution(
            self._first(),
            weight,
            None if bias is None else self.weights("bias", 2),
            self.argument("stride", 3, 1),
            self.argument("padding", 4, 0),
            self.argument("dilation", 5, 1),
            self.argument("groups", 6, 1),
            self.where,
        )

    def _flattened(self) -> GraphValue:
        begin, end = self.argument("start_dim", 1, 0), self.argument("end_dim", 2, -1)
        return flattened(self._first(), begin, end, self.where)

    def _viewed(self) -> GraphValue:
        value = self._first()
        given: Any = self.node.kwargs.get("shape", self.node.args[1:])
        if len(given) == 1 and not isinstance(given[0], int):
            only = self.value(given[0])
            given = only.sizes if isinstance(only, Size) else given[0]
        sizes: list[Any] = [self.value(size) for size in given]
        sizes = [size.sizes if isinstance(size, Size) else size for size in sizes]
        # The first is the batch: its size, 1, or -1.
        if not all(isinstance(size, int) for size in sizes) or sizes.count(-1) > 1:
            raise unlike(self.where, f"a view as {sizes}", "fixed sizes behind the batch")
        known = int(np.prod([size for size in sizes if size != -1]))
        whole = int(np.prod(value.shape))
        return value.reshaped(
            tuple(whole // max(1, known) if size == -1 else size for size in sizes), self.where
        )

    def _dropped(self) -> GraphValue:
        rate, training = self.argument("p", 1, 0.5), self.argument("training", 2, True)
        return dropped(self._first(), rate, training, self.where)

    def _softmax(self) -> GraphValue:
        return softmax(self._first(), self.argument("dim", 1), self.where)

    def _pooled(self) -> GraphValue:
        if self.argument("ceil_mode", 4, False) or self.argument("divisor_override", 6) is not None:
            raise unlike(self.where, "ceil_mode or divisor_override", "a plain average pool")
        return averaged(
            self._first(),
            self.argument("kernel_size", 1),
            self.argument("stride", 2),
            self.argument("padding", 3, 0),
            bool(self.argument("count_include_pad", 5, True)),
            self.where,
        )

    def _pooled_whole(self) -> GraphValue:
        if self.argument("output_size", 1) not in (1, (1, 1), [1, 1]):
            raise unlike(self.where, "several places", "output_size 1")
        return self._first().image(AveragePool(), self.where)
