"""Feed-forward networks of any depth: biases, several outputs, convolutions, residual blocks."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike

from slth.errors import InvalidInput, require_count
from slth.frozen import Rebuilt, freeze
from slth.layers import (
    Activation,
    Affine,
    AffineMap,
    AveragePool,
    Conv,
    Dense,
    FloatArray,
    Identity,
    Inner,
    Item,
    LeakyRelu,
    Relu,
    Residual,
    affine_map,
    fingerprint,
    normal_form,
    output_shape,
    size_of,
    spelled_out,
)
from slth.network import Readout, ReLUNetwork
from slth.notebook import facts_html

Last = Literal["relu", "softmax", "sigmoid"]
# Points evaluated at once: keeps the values of the widest layer near 64 MiB.
_BLOCK_ENTRIES = 8_000_000


@dataclass(frozen=True)
class Activate:
    """z -> max(z, slope z), 0 <= slope < 1."""

    slope: float


@dataclass(frozen=True, eq=False)
class Skip:
    """h -> h + body(h)."""

    body: tuple[Step, ...]


# What a network does to a flat vector, one thing after the other.
Step = AffineMap | Activate | Skip


@dataclass(frozen=True, eq=False)
class DeepNetwork(Rebuilt):
    """Any feed-forward network: items one after the other, then what `last` names.

    A list without activations means a ReLU between any two items (and none after the last);
    a list with `Relu`, `LeakyRelu` or `Identity` in it is read as it stands. The float64 weights
    are taken as exact real numbers, but for the roundings that an item states. A last `Relu` item
    is the same as `last="relu"`.

    Args:
        items: Dense, Conv, AveragePool, Residual, Relu, LeakyRelu and Identity items. A Dense item
            on an image reads it flattened, [channels, height, width] in C order.
        last: what stands after the last item: None, "relu", "softmax" or "sigmoid". What slth says
            of errors is about the argument of a softmax or sigmoid.
        input_shape: (d,) or (channels, height, width); None: (d,) from a first Dense item.

    Raises:
        InvalidInput: no items, shapes that do not follow from one another, weights that are not
            finite, a convolution too large to bound.
    """

    items: tuple[Item, ...]
    last: Last | None = None
    input_shape: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        items = _items(self.items)
        last = self.last
        if last is not None and not (isinstance(last, str) and last in get_args(Last)):
            raise InvalidInput(
                "unknown last activation",
                got=repr(last),
                expected="None, 'relu', 'softmax' or 'sigmoid'",
                fix="Leave it out for a network that ends with an affine layer.",
            )
        if last in (None, "relu") and isinstance(items[-1], Relu) and len(items) > 1:
            last, first, others = "relu", items[0], items[1:-1]
            # Without its last ReLU a list may be bare of activations: it must not gain one.
            said = any(isinstance(item, Activation) for item in (first, *others))
            items = (first, *others) if said else (first, Identity(), *others)
        shape = self.input_shape
        if isinstance(shape, int):
            shape = (shape,)
        begin = next(iter(items))
        if shape is None and isinstance(begin, Dense):
            shape = (begin.weight.shape[1],)
        if shape is None or len(shape) not in (1, 3):
            raise InvalidInput(
                "input shape of the network",
                got=repr(shape),
                expected="(d,) or (channels, height, width)",
                fix="Pass input_shape for a network that begins with a convolution.",
            )
        shape = tuple(require_count("input_shape", size, least=1) for size in shape)
        freeze(self, items=normal_form(items), input_shape=shape, last=last)
        if self.outputs < 1:
            raise InvalidInput(
                "network without outputs",
                got=f"output shape {self.output_shape}",
                expected="at least one output",
                fix="Give the last layer a row.",
            )

    @classmethod
    def of(cls, network: ReLUNetwork | DeepNetwork) -> DeepNetwork:
        """The same function as a deep network, exactly.

        Raises:
            InvalidInput: not one of the two kinds of network.
        """
        if isinstance(network, DeepNetwork):
            return network
        if not isinstance(network, ReLUNetwork):
            raise InvalidInput(
                "not a network",
                got=type(network).__name__,
                expected="a ReLUNetwork or a DeepNetwork",
                fix="slth.as_network reads models of other libraries.",
            )
        last = "relu" if network.readout == "relu" else None
        return cls((Dense(network.hidden), Dense(network.output[None, :])), last)

    def one_hidden_layer(self) -> tuple[FloatArray, FloatArray, Readout]:
        """hidden, output and readout of the `ReLUNetwork` that this is; see `ReLUNetwork.of`.

        Raises:
            InvalidInput: it is none; says what stands in the way.
        """
        problem = self._other_than_one_hidden_layer()
        if problem is not None:
            raise InvalidInput(
                "network is no ReLUNetwork",
                got=problem,
                expected="one hidden layer of ReLUs, one output, no bias, nothing or a ReLU last",
                fix="slth.certify and slth.compress take a DeepNetwork; pruning of random networks "
                "takes a ReLUNetwork only.",
            )
        hidden, output = self.items
        readout = "relu" if self.last == "relu" else "linear"
        return hidden.weight, output.weight[0], readout  # type: ignore[union-attr]

    @property
    def is_one_hidden_layer(self) -> bool:
        """Whether it is a `ReLUNetwork`."""
        return self._other_than_one_hidden_layer() is None

    def _other_than_one_hidden_layer(self) -> str | None:
        """What keeps it from being a `ReLUNetwork`."""
        layers = self.items
        if len(layers) != 2 or not all(isinstance(layer, Dense) for layer in layers):
            return f"a network {self.summary()}"
        if self.outputs != 1:
            return f"{self.outputs} outputs"
        if self.last not in (None, "relu"):
            return f"a last {self.last}"
        for step in self.affine_maps():
            if step.bias.any():
                return "biases"
            if step.matrix_rounding is not None or step.bias_rounding is not None:
                return "weights that are known up to rounding"
        return None

    @property
    def shape(self) -> tuple[int, ...]:
        """The input shape."""
        return self.input_shape  # type: ignore[return-value]

    @property
    def d(self) -> int:
        """Number of inputs, flattened."""
        return size_of(self.shape)

    @cached_property
    def output_shape(self) -> tuple[int, ...]:
        """Shape of the outputs, before they are flattened."""
        *_, (_, after) = self._walk()
        return after

    @property
    def outputs(self) -> int:
        """Number of outputs, flattened."""
        return size_of(self.output_shape)

    @property
    def weights(self) -> int:
        """Number of weights and biases."""
        count = 0
        for layer, _ in self.affine():
            count += layer.weight.size + layer.weight.shape[0]
        return count

    def affine(self) -> Iterator[tuple[Affine, tuple[int, ...]]]:
        """Every layer with weights in order, bodies of residual blocks included, with the shape of
        its input."""
        shape = self.shape
        for item, after in self._walk():
            for layer in spelled_out(item.body) if isinstance(item, Residual) else (item,):
                if isinstance(layer, Dense | Conv):
                    yield layer, shape
                shape = _after(layer, shape)
            shape = after

    def affine_maps(self) -> Iterator[AffineMap]:
        """The affine steps in order, bodies of residual blocks included."""
        return _affine_of(self.steps)

    def _walk(self) -> Iterator[tuple[Item, tuple[int, ...]]]:
        """The items, activations spelled out, with the shape after each."""
        shape = self.shape
        for item in spelled_out(self.items):
            if isinstance(item, Residual):
                inner = shape
                for layer in spelled_out(item.body):
                    inner = _after(layer, inner)
                if size_of(inner) != size_of(shape):
                    raise InvalidInput(
                        "residual block changes the shape",
                        got=f"{shape} to {inner}",
                        expected="equal shapes before and after the body",
                        fix="Use padding and stride 1, and as many channels out as in.",
                    )
            else:
                shape = _after(item, shape)
            yield item, shape

    @cached_property
    def steps(self) -> tuple[Step, ...]:
        """What happens to a flat vector, up to a last softmax or sigmoid (a last ReLU included)."""
        shape, steps = self.shape, []
        for item, after in self._walk():
            if isinstance(item, Residual):
                steps.append(Skip(tuple(_steps_of(spelled_out(item.body), shape))))
            else:
                steps += _steps_of((item,), shape)
            shape = after
        if self.last == "relu":
            steps.append(Activate(0.0))
        return tuple(steps)

    def logits(self, x: ArrayLike) -> FloatArray:
        """The argument of a last softmax or sigmoid, in float64; without one, `__call__`.

        x: float64 [..., *input_shape], or flattened [..., d] -> float64 [..., outputs].
        """
        points = np.asarray(x, dtype=np.float64)
        axes = len(self.shape)
        if points.shape[-axes:] == self.shape:
            lead = points.shape[:-axes]
        elif points.shape[-1:] == (self.d,):
            lead = points.shape[:-1]
        else:
            raise InvalidInput(
                "x incompatible with the network",
                got=f"shape {points.shape}",
                expected=f"last axes {self.shape}",
                fix="Put the inputs on the last axes.",
            )
        flat = points.reshape(-1, self.d)
        widest = max([self.d, *(step.bias.size for step in self.affine_maps())])
        block = max(1, _BLOCK_ENTRIES // widest)
        values = [
            _run(self.steps, flat[start : start + block].T).T
            for start in range(0, max(1, len(flat)), block)
        ]
        return np.ascontiguousarray(np.concatenate(values)).reshape(*lead, -1)

    def __call__(self, x: ArrayLike) -> FloatArray:
        """Evaluate in float64 (not rigorous), `last` included.

        x: float64 [..., *input_shape], or flattened [..., d] -> float64 [..., outputs].
        """
        values = self.logits(x)
        if self.last == "softmax":
            values = np.exp(values - values.max(axis=-1, keepdims=True))
            return values / values.sum(axis=-1, keepdims=True)
        if self.last == "sigmoid":
            return 0.5 * (1.0 + np.tanh(0.5 * values))
        return values

    def before_last(self) -> DeepNetwork:
        """The network without a last softmax or sigmoid: what error questions are about."""
        if self.last not in ("softmax", "sigmoid"):
            return self
        return DeepNetwork(self.items, input_shape=self.input_shape)

    def digest(self) -> str:
        """SHA-256 (hex) of the structure and the little-endian bytes of weights and biases."""
        sha = hashlib.sha256(f"slth-deep-1 {self.shape}\n".encode())
        for item in self.items:
            body = item.body if isinstance(item, Residual) else (item,)
            sha.update(f"{type(item).__name__} {len(body)}\n".encode())
            for layer in body:
                fingerprint(sha, layer)
        if self.last is not None:
            sha.update(f"last {self.last}\n".encode())
        return sha.hexdigest()

    def summary(self) -> str:
        """The layers in a few words, such as "5-50-50-5, relu between, nothing after the last"."""
        sizes, slopes = [str(self.d)], set()
        if len(self.shape) == 3:
            sizes = ["x".join(str(size) for size in self.shape)]
        pending = None
        for item, after in self._walk():
            if isinstance(item, Relu | LeakyRelu):
                slopes.add("relu" if isinstance(item, Relu) else f"leaky relu {item.slope:g}")
                pending = None
                continue
            if pending:
                slopes.add("nothing")
            pending = True
            kind = {Dense: "", Conv: "conv ", AveragePool: "pool ", Residual: "residual "}
            size = "x".join(str(size) for size in after)
            sizes.append(kind[type(item)] + size)
        between = " and ".join(sorted(slopes)) if slopes else "nothing"
        return f"{'-'.join(sizes)}, {between} between, {self.last or 'nothing'} after the last"

    def __repr__(self) -> str:
        return f"DeepNetwork({self.summary()})"

    def _repr_html_(self) -> str:
        facts = [
            ("layers", self.summary()),
            ("weights and biases", f"{self.weights:,}"),
            ("inputs", f"{self.d:,}"),
            ("outputs", f"{self.outputs:,}"),
        ]
        return facts_html("Deep network", facts)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, DeepNetwork) and self.digest() == other.digest()

    __hash__ = None  # type: ignore[assignment]


def mlp(layers: Sequence[tuple[ArrayLike, ArrayLike | None]]) -> DeepNetwork:
    """The network of [(W1, b1), (W2, b2), ...]: Wl float64 [out, in], bl float64 [out] or None."""
    return DeepNetwork(tuple(Dense(w, b) for w, b in layers))  # type: ignore[arg-type]


def _items(items: object) -> tuple[Item, ...]:
    given: Sequence[object] = items if isinstance(items, Sequence) else [items]
    known = [item for item in given if isinstance(item, Item)]
    if len(known) < len(given) or all(isinstance(item, Activation) for item in known):
        raise InvalidInput(
            "network without layers",
            got=repr([type(item).__name__ for item in given]),
            expected="Dense, Conv, AveragePool, Residual and activation items",
            fix="Pass DeepNetwork([Dense(W1, b1), Dense(W2, b2)]).",
        )
    return tuple(known)


def _after(layer: Inner, shape: tuple[int, ...]) -> tuple[int, ...]:
    return output_shape(layer, shape) if isinstance(layer, Dense | Conv | AveragePool) else shape


def _steps_of(layers: Iterable[Inner], shape: tuple[int, ...]) -> Iterator[Step]:
    for layer in layers:
        if isinstance(layer, Dense | Conv | AveragePool):
            yield affine_map(layer, shape)
            shape = output_shape(layer, shape)
        else:
            yield Activate(layer.slope)


def _affine_of(steps: Iterable[Step]) -> Iterator[AffineMap]:
    for step in steps:
        if isinstance(step, AffineMap):
            yield step
        elif isinstance(step, Skip):
            yield from _affine_of(step.body)


def _run(steps: Iterable[Step], values: FloatArray) -> FloatArray:
    """The steps on columns, float64 [inputs, points] -> [outputs, points]."""
    for step in steps:
        if isinstance(step, AffineMap):
            values = step.matrix @ values + step.bias[:, None]
        elif isinstance(step, Activate):
            values = np.maximum(values, step.slope * values)
        else:
            values = values + _run(step.body, values)
    return values
