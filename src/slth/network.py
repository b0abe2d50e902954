"""What is pruned: one-hidden-layer ReLU networks, their masks, and evaluating them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Literal, Protocol, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from slth.errors import InvalidInput, require_array, require_count, require_seed
from slth.frozen import Rebuilt, freeze
from slth.notebook import facts_html

Readout = Literal["linear", "relu"]
Distribution = Literal["normal", "uniform", "signs"]
FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

# Points evaluated at once: keeps the [points, width] matrix of pre-activations near 64 MiB.
_BLOCK_ENTRIES = 8_000_000
# How far a target's norm may be from 1 before it is refused: a few hundred rounding errors.
_UNIT_NORM_TOLERANCE = 1e-12


class OneHiddenLayer(Protocol):
    """A network of another kind that may be a `ReLUNetwork`: see `slth.DeepNetwork`."""

    def one_hidden_layer(self) -> tuple[FloatArray, FloatArray, Readout]:
        """hidden [width, d], output [width] and the readout; InvalidInput if it has others."""
        ...


@dataclass(frozen=True, eq=False)
class ReLUNetwork(Rebuilt):
    """g(x) = rho(sum_i output[i] max(<hidden[i], x>, 0)), x in R^d: the network of the theory.

    rho is the identity (`readout="linear"`) or max(., 0) (`readout="relu"`). The float64 weights
    are taken as exact real numbers everywhere in slth. The arrays are read-only copies. There are
    no biases, so g is positively homogeneous; a network with biases is a `slth.DeepNetwork`.

    Args:
        hidden: float64 [width, d], d >= 1. A width of 0 is the zero function.
        output: float64 [width].
        readout: "linear" or "relu".

    Raises:
        InvalidInput: wrong shapes, entries that are not finite or that float64 does not hold,
            products output * hidden that overflow, an unknown readout.
    """

    hidden: FloatArray
    output: FloatArray
    readout: Readout = "linear"

    def __post_init__(self) -> None:
        hidden = require_array("hidden", self.hidden, ndim=2)
        if np.ndim(self.output) == 2:
            raise InvalidInput(
                "output has several rows",
                got=f"shape {np.shape(self.output)}",
                expected="one output weight for each row of hidden: a ReLUNetwork has one output",
                fix="Pass slth.DeepNetwork([slth.Dense(hidden), slth.Dense(output)]).",
            )
        output = require_array("output", self.output, ndim=1)
        if hidden.shape[1] < 1:
            raise InvalidInput(
                "hidden has no input dimension",
                got=f"shape {hidden.shape}",
                expected="shape [width, d] with d >= 1",
                fix="Give every unit at least one incoming weight.",
            )
        if output.shape[0] != hidden.shape[0]:
            raise InvalidInput(
                "output incompatible with hidden",
                got=f"output of shape {output.shape}, hidden of shape {hidden.shape}",
                expected="one output weight for each row of hidden",
                fix="Pass output with hidden.shape[0] entries.",
            )
        if self.readout not in get_args(Readout):
            raise InvalidInput(
                "unknown readout",
                got=repr(self.readout),
                expected="'linear' or 'relu'",
                fix="Use readout='linear' for the paper's network.",
            )
        with np.errstate(over="ignore", invalid="ignore"):
            mass = float(np.sum(np.abs(output) * np.sum(np.abs(hidden), axis=1)))
        if not mass < 1e300:
            raise InvalidInput(
                "weights too large",
                got=f"sum |output| * |hidden| = {mass}",
                expected="less than 1e300",
                fix="Rescale the network: it is positively homogeneous in both layers.",
            )
        freeze(self, hidden=hidden, output=output)

    @classmethod
    def of(cls, network: ReLUNetwork | OneHiddenLayer) -> ReLUNetwork:
        """The same function as a `ReLUNetwork`, exactly.

        Raises:
            InvalidInput: a network with a bias, several outputs, other layers or activations, a
                last activation other than a ReLU, or weights that are known up to rounding only.
        """
        if isinstance(network, cls):
            return network
        parts = getattr(network, "one_hidden_layer", None)
        if parts is None:
            raise InvalidInput(
                "not a network",
                got=type(network).__name__,
                expected="a ReLUNetwork or a DeepNetwork",
                fix="slth.as_network reads models of other libraries.",
            )
        return cls(*parts())

    @property
    def width(self) -> int:
        """Number of hidden units."""
        return self.hidden.shape[0]

    @property
    def d(self) -> int:
        """Input dimension."""
        return self.hidden.shape[1]

    def __call__(self, x: ArrayLike) -> FloatArray:
        """Evaluate in float64 (not rigorous). x: float64 [..., d] -> float64 [...]."""
        points = np.asarray(x, dtype=np.float64)
        if points.ndim < 1 or points.shape[-1] != self.d:
            raise InvalidInput(
                "x incompatible with the network",
                got=f"shape {points.shape}",
                expected=f"last axis of length d = {self.d}",
                fix="Put the coordinates on the last axis.",
            )
        flat = points.reshape(-1, self.d)
        values = np.empty(flat.shape[0])
        step = max(1, _BLOCK_ENTRIES // max(1, self.width))
        for start in range(0, flat.shape[0], step):
            inner = np.maximum(flat[start : start + step] @ self.hidden.T, 0.0)
            values[start : start + step] = inner @ self.output
        if self.readout == "relu":
            values = np.maximum(values, 0.0)
        return values.reshape(points.shape[:-1])

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, ReLUNetwork)
            and self.readout == other.readout
            and np.array_equal(self.hidden, other.hidden)
            and np.array_equal(self.output, other.output)
        )

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"ReLUNetwork(width={self.width}, d={self.d}, readout={self.readout!r})"

    def _repr_html_(self) -> str:
        total = "sum" if self.readout == "linear" else "relu of the sum"
        largest = [
            f"{float(np.abs(weights).max(initial=0.0)):.4g}"
            for weights in (self.hidden, self.output)
        ]
        facts = [
            ("function", f"{total} of output[i] relu(<hidden[i], x>), i < {self.width:,}"),
            ("hidden", f"float64 [{self.width:,}, {self.d:,}], largest |weight| {largest[0]}"),
            ("output", f"float64 [{self.width:,}], largest |weight| {largest[1]}"),
            ("readout", self.readout),
        ]
        return facts_html("ReLU network, one hidden layer, no bias", facts)

    def masked(self, mask: Mask) -> ReLUNetwork:
        """The same network with every weight the mask drops set to 0; same width."""
        mask.require_fits(self)
        return ReLUNetwork(
            np.where(mask.hidden, self.hidden, 0.0),
            np.where(mask.output, self.output, 0.0),
            self.readout,
        )

    def pruned(self, mask: Mask) -> ReLUNetwork:
        """The masked network without its dead units (no output weight or no incoming weight)."""
        masked = self.masked(mask)
        alive = (masked.output != 0.0) & (masked.hidden != 0.0).any(axis=1)
        return ReLUNetwork(masked.hidden[alive], masked.output[alive], self.readout)

    def prefix(self, width: int) -> ReLUNetwork:
        """The network of the first `width` units."""
        if not 0 <= width <= self.width:
            raise InvalidInput(
                "prefix width out of range",
                got=width,
                expected=f"0 <= width <= {self.width}",
                fix="Draw a wider network first.",
            )
        return ReLUNetwork(self.hidden[:width], self.output[:width], self.readout)

    def digest(self) -> str:
        """SHA-256 (hex) of the shape, the readout and the little-endian bytes of the weights."""
        sha = hashlib.sha256(f"slth-network-1 {self.width} {self.d} {self.readout}\n".encode())
        sha.update(self.hidden.astype("<f8").tobytes())
        sha.update(self.output.astype("<f8").tobytes())
        return sha.hexdigest()


@dataclass(frozen=True, eq=False)
class Mask(Rebuilt):
    """Which weights are kept. hidden: bool [width, d]; output: bool [width].

    A neuron mask keeps or drops whole units: `hidden[i, :]` and `output[i]` all equal.
    """

    hidden: BoolArray
    output: BoolArray

    def __post_init__(self) -> None:
        hidden = np.array(self.hidden, order="C")
        output = np.array(self.output, order="C")
        if hidden.dtype != np.bool_ or output.dtype != np.bool_:
            raise InvalidInput(
                "mask is not boolean",
                got=f"dtypes {hidden.dtype} and {output.dtype}",
                expected="bool arrays",
                fix="Compare or cast explicitly, e.g. mask > 0.",
            )
        if hidden.ndim != 2 or output.shape != hidden.shape[:1]:
            raise InvalidInput(
                "mask shapes do not match",
                got=f"hidden {hidden.shape}, output {output.shape}",
                expected="hidden [width, d] and output [width]",
                fix="Use Mask.of_units(keep, d) for neuron masks.",
            )
        freeze(self, hidden=hidden, output=output)

    @classmethod
    def of_units(cls, keep: ArrayLike, d: int) -> Mask:
        """The neuron mask that keeps the units with keep[i] true. keep: bool [width]."""
        units = np.asarray(keep)
        return cls(np.repeat(units[:, None], d, axis=1), units)

    @property
    def kept_weights(self) -> int:
        """Number of single weights kept, both layers."""
        return int(self.hidden.sum()) + int(self.output.sum())

    @property
    def kept_units(self) -> int:
        """Number of hidden units with their output weight and at least one incoming weight kept."""
        return int((self.output & self.hidden.any(axis=1)).sum())

    @property
    def is_neuron_mask(self) -> bool:
        """Whether every unit is kept whole or dropped whole."""
        return bool((self.hidden == self.output[:, None]).all())

    def padded(self, width: int) -> Mask:
        """The same mask on a wider network: the new units are dropped."""
        extra = width - self.output.shape[0]
        return Mask(np.pad(self.hidden, ((0, extra), (0, 0))), np.pad(self.output, (0, extra)))

    def require_fits(self, net: ReLUNetwork) -> None:
        """Raise InvalidInput unless the mask has the network's shape."""
        if self.hidden.shape != net.hidden.shape:
            raise InvalidInput(
                "mask incompatible with the network",
                got=f"mask [width, d] = {self.hidden.shape}, network {net.hidden.shape}",
                expected="equal shapes",
                fix="A mask belongs to the network it was found on.",
            )

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Mask)
            and np.array_equal(self.hidden, other.hidden)
            and np.array_equal(self.output, other.output)
        )

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        width, d = self.hidden.shape
        return f"Mask(kept {self.kept_units} of {width} units, {self.kept_weights} weights, d={d})"


def random_network(
    d: int,
    width: int,
    seed: int,
    readout: Readout = "linear",
    distribution: Distribution = "normal",
) -> ReLUNetwork:
    """Draw hidden ~ N(0, I_d) and output ~ N(0, 1), independent (the paper's random network).

    Other laws of the weights, also independent with mean 0 and variance 1: "uniform" on
    [-sqrt 3, sqrt 3], "signs" 1 and -1.

    Generator: NumPy's PCG64 seeded by `SeedSequence(seed, spawn_key=(d,))`; its standard normals
    fill a [width, d + 1] array row by row, the last column being `output`. So networks are
    *nested*: `random_network(d, N, seed)` is the first N units of `random_network(d, M, seed)`,
    N <= M. NumPy may change its streams between versions; a ticket therefore stores the digest.

    Raises:
        InvalidInput: d < 1, width < 0, seed < 0, unknown readout or distribution.
    """
    d = require_count("d", d, least=1)
    width = require_count("width", width, least=0)
    seed = require_seed(seed)
    generator = np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=(d,))))
    shape = (width, d + 1)
    match distribution:
        case "normal":
            draws = generator.standard_normal(shape)
        case "uniform":
            draws = np.sqrt(3.0) * (2.0 * generator.random(shape) - 1.0)
        case "signs":
            draws = np.where(generator.random(shape) < 0.5, -1.0, 1.0)
        case _:
            raise InvalidInput(
                "unknown distribution",
                got=repr(distribution),
                expected="'normal', 'uniform' or 'signs'",
                fix="Use 'normal' for the paper's network.",
            )
    return ReLUNetwork(draws[:, :d], draws[:, d], readout)


def neuron(w: ArrayLike, *, normalize: bool = False) -> ReLUNetwork:
    """The target f(x) = max(<w, x>, 0) with ||w||_2 = 1, as a network of width 1.

    Args:
        w: float64 [d].
        normalize: scale w to unit norm first.

    Raises:
        InvalidInput: w is zero, not finite, or not of unit norm (within 1e-12).
    """
    weights = require_array("w", w, ndim=1)
    largest = float(np.max(np.abs(weights), initial=0.0))
    if largest == 0.0:
        raise InvalidInput(
            "target weight vector is zero",
            got=weights.tolist(),
            expected="a vector of norm 1",
            fix="A neuron needs a direction.",
        )
    norm = largest * float(np.linalg.norm(weights / largest))
    if normalize:
        weights = weights / largest
        weights = weights / np.linalg.norm(weights)
    elif abs(norm - 1.0) > _UNIT_NORM_TOLERANCE:
        raise InvalidInput(
            "target weight vector is not of unit norm",
            got=f"||w||_2 = {norm!r}",
            expected="1 within 1e-12",
            fix="Pass normalize=True to scale it.",
        )
    return ReLUNetwork(weights[None, :], np.ones(1))


def require_networks(net: object, target: object) -> None:
    """Raise InvalidInput unless both are ReLUNetworks of the same input dimension."""
    for name, value in (("net", net), ("target", target)):
        if not isinstance(value, ReLUNetwork):
            raise InvalidInput(
                f"{name} is not a ReLUNetwork",
                got=f"{value!r:.200}"
                if hasattr(value, "one_hidden_layer")
                else type(value).__name__,
                expected="a ReLUNetwork: one hidden layer, one output, no biases",
                fix="Build one with slth.ReLUNetwork(hidden, output) or slth.neuron(w); networks "
                "with biases, several outputs or layers are for slth.certify and slth.compress.",
            )
    if net.d != target.d:  # type: ignore[union-attr]
        raise InvalidInput(
            "target incompatible with net",
            got=f"net with d = {net.d}, target with d = {target.d}",  # type: ignore[union-attr]
            expected="the same input dimension",
            fix="Compare networks on the same inputs.",
        )
