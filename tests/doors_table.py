"""What must hold of every door and every public verb, as tables: a new one enrolls here."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import slth
from slth.pruning.neurons.contenders import REFITS, contend
from slth.pruning.weights import prune_layer
from slth.pruning.weights.vector import vector_subset_sum

Layers = list[tuple[Any, Any]]


@dataclass(frozen=True)
class Case:
    """A network by its arrays: ReLU(W h + b) layer by layer, no ReLU after the last but `last`."""

    name: str
    layers: Layers
    last: str | None = None

    @property
    def plain(self) -> bool:
        """Whether it is a ReLUNetwork."""
        one = len(self.layers) == 2 and len(self.layers[-1][0]) == 1
        return one and self.last in (None, "relu") and all(b is None for _, b in self.layers)

    def network(self) -> slth.DeepNetwork:
        return slth.DeepNetwork([slth.Dense(*layer) for layer in self.layers], self.last)

    def moved(self) -> Case:
        """Another network of the same kind."""
        (w, b), *others = self.layers
        return Case(f"{self.name}, moved", [(w + 0.25, b), *others], self.last)

    def logits(self, x: np.ndarray) -> np.ndarray:
        """float64 [n, outputs], by the formula alone; up to a last softmax or sigmoid."""
        values = x
        for place, (w, b) in enumerate(self.layers):
            values = np.maximum(values, 0.0) if place else values
            values = values @ np.asarray(w).T + (0.0 if b is None else b)
        return np.maximum(values, 0.0) if self.last == "relu" else values

    def __call__(self, x: np.ndarray) -> np.ndarray:
        values = self.logits(x)
        if self.last == "softmax":
            parts = np.exp(values - values.max(axis=1, keepdims=True))
            return parts / parts.sum(axis=1, keepdims=True)
        return 1.0 / (1.0 + np.exp(-values)) if self.last == "sigmoid" else values

    def difference(self, other: Case, x: np.ndarray) -> float:
        return float(np.abs(self.logits(x) - other.logits(x)).max())


def _case(name: str, sizes: tuple[int, ...], *, bias: bool, last: str | None = None) -> Case:
    rng = np.random.default_rng([len(name), *sizes, 1])
    # Multiples of 1/64: float32 files hold them too.
    layers = [
        (
            np.round(rng.normal(size=(out, into)) * 64) / 64,
            np.round(rng.normal(size=out) * 64) / 64 if bias else None,
        )
        for into, out in pairwise(sizes)
    ]
    return Case(name, layers, last)


def _repeated() -> Case:
    """One layer object twice in a row."""
    first, square, last = _case("repeated", (2, 3, 3, 1), bias=True).layers
    return Case("repeated layers", [first, square, square, last])


CASES = [
    _case("plain", (2, 4, 1), bias=False),
    _case("biased", (2, 4, 1), bias=True),
    _case("last relu", (2, 4, 1), bias=False, last="relu"),
    _case("last relu, biased", (2, 4, 2), bias=True, last="relu"),
    _case("last softmax", (2, 4, 3), bias=True, last="softmax"),
    _case("last sigmoid", (2, 4, 1), bias=False, last="sigmoid"),
    _case("several outputs", (2, 4, 3), bias=False),
    _repeated(),
]
PLAIN = CASES[0]
BIASED = CASES[1]

# Arrays [4, 2] that are no real numbers in float64, by kind.
HOSTILE = {
    "complex": np.full((4, 2), 1.0 + 1.0j),
    "beyond 2^53": np.full((4, 2), 2**53 + 1, np.int64),
    "masked": np.ma.masked_array(np.ones((4, 2)), np.eye(4, 2, dtype=bool)),
    "text": np.full((4, 2), "1.5"),
    "not finite": np.full((4, 2), np.nan),
}
# More of them that only Python objects can be.
OBJECTS = {
    "an integer beyond floats": [[10**400, 1], [1, 1], [1, 1], [1, 1]],
    "a fraction between two floats": [[Fraction(1, 3), 1], [1, 1], [1, 1], [1, 1]],
    "a wider float": np.full((4, 2), np.longdouble(1) + np.longdouble(2) ** -60),
    "ragged": [[1.0, 2.0], [1.0], [1.0, 2.0], [1.0, 2.0]],
}
UNKNOWN = "note", np.ones(2)


@dataclass(frozen=True)
class Door:
    """A way in: from arrays to a network.

    Attributes:
        enter: (case, folder, extra arrays) -> the network that slth reads.
        lasts: what it can say of a last activation.
        hostile: kinds of hostile arrays that it can carry to slth.
        extra: whether it can carry an array that no layer uses.
        suffix: of the files it reads.
        one_hidden: whether it holds networks of one hidden layer and one output only.
    """

    enter: Callable[[Case, Path, dict[str, np.ndarray]], Any]
    lasts: tuple[str | None, ...] = (None, "relu", "softmax", "sigmoid")
    hostile: tuple[str, ...] = ()
    extra: bool = False
    suffix: str | None = None
    one_hidden: bool = False

    def takes(self, case: Case) -> bool:
        fits = not self.one_hidden or (len(case.layers) == 2 and len(case.layers[-1][0]) == 1)
        return case.last in self.lasts and fits


def _named(case: Case) -> dict[str, np.ndarray]:
    named = {}
    for place, (w, b) in enumerate(case.layers):
        named[f"{place}.weight"] = w
        if b is not None:
            named[f"{place}.bias"] = b
    return named


def _stated(case: Case) -> str:
    """The architecture as `layers=` says it."""
    sizes = [str(len(w)) for w, _ in case.layers]
    words = [f"{case.layers[0][0].shape[1]}", ",relu,".join(sizes)]
    return ",".join([*words, *(["relu"] if case.last == "relu" else [])])


def _items(case: Case, folder: Path, extra: dict[str, np.ndarray]) -> Any:
    return slth.as_network(case.network())


def _pairs(case: Case, folder: Path, extra: dict[str, np.ndarray]) -> Any:
    return slth.as_network(case.layers)


def _npz(case: Case, folder: Path, extra: dict[str, np.ndarray]) -> Any:
    last = {} if case.last is None else {"last": np.array(case.last)}
    np.savez(folder / "net.npz", **_named(case), **last, **extra)
    return slth.read_network(folder / "net.npz")


def _older_npz(case: Case, folder: Path, extra: dict[str, np.ndarray]) -> Any:
    (w, b), (v, c) = case.layers
    arrays = {"hidden": w, "output": v[0], "readout": np.array(case.last or "linear")}
    biases = {} if b is None else {"bias": b, "output_bias": c[0]}
    np.savez(folder / "net.npz", **arrays, **biases, **extra)
    return slth.read_network(folder / "net.npz")


def _safetensors(case: Case, folder: Path, extra: dict[str, np.ndarray]) -> Any:
    numpy = pytest.importorskip("safetensors.numpy")
    arrays = {name: np.ascontiguousarray(value) for name, value in _named(case).items()}
    numpy.save_file({**arrays, **extra}, str(folder / "net.safetensors"))
    return slth.read_network(folder / "net.safetensors", layers=_stated(case))


def _nnet(case: Case, folder: Path, extra: dict[str, np.ndarray]) -> Any:
    widths = [case.layers[0][0].shape[1], *(len(w) for w, _ in case.layers)]
    inputs = widths[0]

    def line(values: Any) -> str:
        return "".join(f"{value}," for value in np.asarray(values).tolist())

    text = [
        "// a comment",
        f"{len(widths) - 1},{inputs},{widths[-1]},{max(widths)},",
        line(widths),
        "0,",
        *(line(np.full(count, value)) for count, value in ((inputs, -9.0), (inputs, 9.0))),
        *(line(np.full(inputs + 1, value)) for value in (0.0, 1.0)),
    ]
    for w, b in case.layers:
        text += [line(row) for row in w]
        text += [line([entry]) for entry in (np.zeros(len(w)) if b is None else b)]
    (folder / "net.nnet").write_text("\n".join(text) + "\n")
    return slth.read_network(folder / "net.nnet")


def _module(case: Case) -> Any:
    """A torch module; a layer that stands twice in the case is one object twice."""
    torch = pytest.importorskip("torch")
    made: dict[int, Any] = {}
    relu, parts = torch.nn.ReLU(), []
    for place, (w, b) in enumerate(case.layers):
        parts += [relu] if place else []
        if id(w) not in made:
            kind = torch.from_numpy(np.array(w)).dtype
            layer = torch.nn.Linear(w.shape[1], len(w), bias=b is not None, dtype=kind)
            layer.weight = torch.nn.Parameter(
                torch.from_numpy(np.array(w)), requires_grad=kind.is_floating_point
            )
            if b is not None:
                layer.bias = torch.nn.Parameter(torch.from_numpy(np.array(b)))
            made[id(w)] = layer
        parts.append(made[id(w)])
    ends = {"relu": relu, "softmax": torch.nn.Softmax(dim=-1), "sigmoid": torch.nn.Sigmoid()}
    return torch.nn.Sequential(*parts, *([] if case.last is None else [ends[case.last]]))


def _torch(case: Case, folder: Path, extra: dict[str, np.ndarray]) -> Any:
    return slth.as_network(_module(case))


def _state(case: Case, folder: Path, extra: dict[str, np.ndarray], suffix: str) -> Any:
    torch = pytest.importorskip("torch")
    tensors = {name: torch.from_numpy(np.array(array)) for name, array in extra.items()}
    path = folder / f"net{suffix}"
    torch.save({**_module(case).state_dict(), **tensors}, path)
    return slth.read_network(path, like=_module(case))


def _proto(case: Case, extra: dict[str, np.ndarray]) -> Any:
    onnx = pytest.importorskip("onnx")
    helper, numpy = onnx.helper, onnx.numpy_helper
    arrays: dict[str, Any] = dict(extra)
    nodes, value = [], "x"
    for place, (w, b) in enumerate(case.layers):
        if place:
            nodes.append(helper.make_node("Relu", [value], [f"r{place}"]))
            value = f"r{place}"
        names = [f"w{id(w)}", *([] if b is None else [f"b{id(b)}"])]
        arrays.update(zip(names, (np.asarray(w), b), strict=False))
        nodes.append(helper.make_node("Gemm", [value, *names], [f"z{place}"], transB=1))
        value = f"z{place}"
    if case.last is not None:
        nodes.append(helper.make_node(case.last.capitalize(), [value], ["y"]))
        value = "y"
    inputs, outputs = case.layers[0][0].shape[1], len(case.layers[-1][0])
    double = onnx.TensorProto.DOUBLE
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info("x", double, [1, inputs])],
        [helper.make_tensor_value_info(value, double, [1, outputs])],
        [numpy.from_array(np.ascontiguousarray(array), name) for name, array in arrays.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])


def _onnx(case: Case, folder: Path, extra: dict[str, np.ndarray]) -> Any:
    return slth.as_network(_proto(case, extra))


def _onnx_file(case: Case, folder: Path, extra: dict[str, np.ndarray]) -> Any:
    (folder / "net.onnx").write_bytes(_proto(case, extra).SerializeToString())
    return slth.read_network(folder / "net.onnx")


def _sklearn(case: Case, folder: Path, extra: dict[str, np.ndarray]) -> Any:
    module = pytest.importorskip("sklearn.neural_network")
    rng = np.random.default_rng(0)
    sizes = tuple(len(w) for w, _ in case.layers)
    outputs, form = sizes[-1], {"hidden_layer_sizes": sizes[:-1], "max_iter": 1, "random_state": 0}
    points = rng.random((2 * max(outputs, 2), 2))
    if case.last is None:
        model, answers = module.MLPRegressor(**form), rng.random((len(points), outputs)).squeeze()
    else:
        model = module.MLPClassifier(**form)
        # Each label twice; of several sigmoids each label's own output.
        answers = np.arange(len(points)) % max(outputs, 2)
        if case.last == "sigmoid" and outputs > 1:
            answers = np.eye(outputs)[answers].astype(int)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(points, answers)
    model.coefs_ = [np.asanyarray(w).T for w, _ in case.layers]
    model.intercepts_ = [np.zeros(len(w)) if b is None else b for w, b in case.layers]
    return slth.as_network(model)


def _written(case: Case, folder: Path, extra: dict[str, np.ndarray], suffix: str) -> Any:
    slth.write_network(case.network(), folder / f"net{suffix}")
    return slth.read_network(folder / f"net{suffix}")


_FILED = ("complex", "beyond 2^53", "text", "not finite")
_TENSORS = ("complex", "not finite")
DOORS = {
    "items": Door(_items, hostile=(*HOSTILE, *OBJECTS)),
    "pairs": Door(_pairs, (None,), hostile=(*HOSTILE, *OBJECTS)),
    "npz": Door(_npz, hostile=_FILED, extra=True, suffix=".npz"),
    "npz of 0.1": Door(_older_npz, (None, "relu"), _FILED, True, ".npz", one_hidden=True),
    "safetensors": Door(
        _safetensors, (None, "relu"), ("beyond 2^53", "not finite"), True, ".safetensors"
    ),
    "nnet": Door(_nnet, (None,), ("complex", "not finite"), suffix=".nnet"),
    "torch": Door(_torch, hostile=_TENSORS),
    "pt": Door(partial(_state, suffix=".pt"), hostile=_TENSORS, extra=True, suffix=".pt"),
    "pth": Door(partial(_state, suffix=".pth"), extra=True, suffix=".pth"),
    "onnx": Door(_onnx, hostile=_TENSORS, extra=True),
    "onnx file": Door(_onnx_file, hostile=_TENSORS, extra=True, suffix=".onnx"),
    "sklearn": Door(_sklearn, (None, "softmax", "sigmoid"), hostile=tuple(HOSTILE)),
    **{
        f"written {suffix}": Door(partial(_written, suffix=suffix), suffix=suffix)
        for suffix in (".npz", ".onnx", ".safetensors")
    },
}


@dataclass(frozen=True)
class Verb:
    """What takes networks: called with two of one kind, it is right or refuses.

    Attributes:
        ask: (net, target) as DeepNetworks -> its answer.
        right: (answer, case, other case, points) raises AssertionError where the answer is wrong.
        only_plain: whether it is for ReLUNetworks only and must refuse everything else.
        labels: whether it needs several outputs.
    """

    ask: Callable[[Any, Any], Any]
    right: Callable[[Any, Case, Case, np.ndarray], None]
    only_plain: bool = False
    labels: bool = False
    refused: tuple[str, ...] = field(default=())


def _encloses(answer: Any, case: Case, other: Case, x: np.ndarray) -> None:
    answer = answer[0] if isinstance(answer, slth.Enclosures) else answer
    assert case.difference(other, x) <= answer.upper
    assert answer.lower > 0.0
    attained = case.difference(other, answer.witness[None, :])
    assert attained >= answer.lower * (1.0 - 1e-12)


def _same_label(answer: Any, case: Case, other: Case, x: np.ndarray) -> None:
    if answer.status == "differ":
        point = answer.witness[None, :]
        assert case.logits(point).argmax() != other.logits(point).argmax()
    else:
        labels = [each.logits(x).argmax(axis=1) for each in (case, other)]
        assert answer.status == "unknown" or (labels[0] == labels[1]).all()


def _same_label_at_rows(answer: Any, case: Case, other: Case, x: np.ndarray) -> None:
    for row, verdict in zip(ROWS, answer, strict=True):
        label = case.logits(row[None, :]).argmax()
        near = row + 0.01 * np.clip(x, -1.0, 1.0)
        if verdict.status == "differ":
            assert other.logits(verdict.witness[None, :]).argmax() != label
        elif verdict.status == "agree":
            assert (other.logits(near).argmax(axis=1) == label).all()


def _same_values(answer: Any, case: Case, other: Case, x: np.ndarray) -> None:
    values = answer(x).reshape(len(x), -1)
    np.testing.assert_allclose(values, case(x), rtol=1e-12, atol=1e-12)


def _embeds(answer: Any, case: Case, other: Case, x: np.ndarray) -> None:
    assert np.abs(answer(x) - case.logits(x)).max() <= answer.error
    assert answer.error <= 0.5


def _prunes(answer: Any, case: Case, other: Case, x: np.ndarray) -> None:
    pruned = answer.pruned(x)[:, None]
    assert np.abs(pruned - other.logits(x)).max() <= answer.error.upper
    assert answer.bound <= answer.error.upper


def _refits(answer: Any, case: Case, other: Case, x: np.ndarray) -> None:
    values = answer.network(x)[:, None]
    assert np.abs(values - other.logits(x)).max() <= answer.error.upper


def _holds(answer: Any, case: Case, other: Case, x: np.ndarray) -> None:
    np.testing.assert_allclose(answer.net(x)[:, None], case(x), rtol=1e-12, atol=1e-12)
    values = answer.masked(x)[:, None]
    assert np.abs(values - other.logits(x)).max() <= answer.error.upper


# Readings of the clock that a verb may take; see clocks.py.
LIMIT = 300.0
ROWS = np.array([[0.5, -0.25], [-0.5, 0.125]])
NET, TARGET = slth.random_network(2, 4, 0), slth.neuron([1.0, 0.0])


def _of_plain(ask: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """Called as a user who has a DeepNetwork would: through the one exact conversion if it is
    one, else as it is."""

    def called(net: Any, target: Any) -> Any:
        return ask(slth.as_network(net), slth.as_network(target))

    return called


def _ticket(net: Any, target: Any) -> Any:
    """A ticket of the whole network, whose solution was found on `NET` if `net` has none."""
    found = net if isinstance(net, slth.ReLUNetwork) else NET
    goal = target if isinstance(target, slth.ReLUNetwork) else TARGET
    solution = slth.prune_neurons(found, goal, time_limit=LIMIT)
    return slth.Ticket.from_solution(solution, net, target)


VERBS = {
    "certify": Verb(
        lambda net, target: slth.certify(net, target, rtol=0.1, time_limit=LIMIT), _encloses
    ),
    "certify_many": Verb(
        lambda net, target: slth.certify_many([net], [target], rtol=0.1, time_limit=LIMIT),
        _encloses,
    ),
    "agree": Verb(
        lambda net, target: slth.agree(net, target, slth.Ball(1.0), time_limit=LIMIT),
        _same_label,
        labels=True,
    ),
    "agree_on": Verb(
        lambda net, target: slth.agree_on(net, target, ROWS, radius=0.01, time_limit=LIMIT),
        _same_label_at_rows,
        labels=True,
    ),
    "compress": Verb(
        lambda net, target: slth.compress(net, slth.Ball(1.0), ratio=1.0, time_limit=LIMIT).network,
        _same_values,
    ),
    "as_network": Verb(lambda net, target: slth.as_network(net), _same_values),
    "DeepNetwork": Verb(lambda net, target: slth.DeepNetwork.of(net), _same_values),
    "ReLUNetwork": Verb(
        lambda net, target: slth.ReLUNetwork.of(net), _same_values, only_plain=True
    ),
    "embed": Verb(
        lambda net, target: slth.embed(net, 0.5, workers=1),
        _embeds,
        refused=("last relu", "last relu, biased"),
    ),
    "prune_neurons": Verb(
        _of_plain(lambda net, target: slth.prune_neurons(net, target, time_limit=LIMIT)),
        _prunes,
        only_plain=True,
    ),
    "prune_weights": Verb(
        _of_plain(lambda net, target: slth.prune_weights(net, target, time_limit=LIMIT)),
        _prunes,
        only_plain=True,
    ),
    "contenders": Verb(
        _of_plain(lambda net, target: contend(net, target, "magnitude", time_limit=LIMIT)),
        _prunes,
        only_plain=True,
    ),
    "Ticket": Verb(_of_plain(_ticket), _holds, only_plain=True),
    **{
        f"refit {name}": Verb(
            _of_plain(lambda net, target, refit=refit: refit(net, target, time_limit=LIMIT)),
            _refits,
            only_plain=True,
        )
        for name, refit in REFITS.items()
    },
}
# Verbs of networks that are reached by another's: held by the tests named here.
BY_OTHERS = {
    "read_network": "every door",
    "write_network": "the doors 'written'",
    "strategies": "what takes numbers",
}


@dataclass(frozen=True)
class Numbers:
    """What takes numbers: a call that is right, and what in it is an array or a count.

    Attributes:
        call: called with `given` by name.
        given: arguments that are accepted.
        arrays: names of arguments that are arrays of real numbers.
        counts: names of those that are whole numbers.
    """

    call: Callable[..., Any]
    given: dict[str, Any]
    arrays: tuple[str, ...] = ()
    counts: tuple[str, ...] = ()


PAIR = {"net": NET, "target": TARGET}
LABELS = slth.DeepNetwork([slth.Dense(np.eye(2)), slth.Dense(np.eye(2))])
FOUR = np.arange(1.0, 9.0).reshape(4, 2)

NUMBERS = {
    "ReLUNetwork": Numbers(
        slth.ReLUNetwork, {"hidden": FOUR, "output": np.ones(4)}, ("hidden", "output")
    ),
    "Dense": Numbers(slth.Dense, {"weight": FOUR, "bias": np.ones(4)}, ("weight", "bias")),
    "Conv": Numbers(
        slth.Conv,
        {"weight": FOUR.reshape(4, 2, 1, 1), "bias": np.ones(4), "stride": 1, "padding": 0},
        ("weight", "bias"),
        ("stride", "padding"),
    ),
    "AveragePool": Numbers(
        slth.AveragePool, {"kernel": 2, "stride": 1, "padding": 0}, (), ("kernel", "stride")
    ),
    "LeakyRelu": Numbers(slth.LeakyRelu, {"slope": 0.5}, ("slope",)),
    "DeepNetwork": Numbers(
        lambda input_shape: slth.DeepNetwork([slth.Dense(FOUR)], input_shape=(input_shape,)),
        {"input_shape": 2},
        (),
        ("input_shape",),
    ),
    "Ball": Numbers(slth.Ball, {"radius": 2.0, "center": np.ones(2)}, ("radius", "center")),
    "Box": Numbers(slth.Box, {"low": np.zeros(2), "high": np.ones(2)}, ("low", "high")),
    "Box.around": Numbers(slth.Box.around, {"x": np.ones(2), "r": 0.5}, ("x", "r")),
    "Orthant": Numbers(slth.Orthant, {"radius": 2.0}, ("radius",)),
    "neuron": Numbers(partial(slth.neuron, normalize=True), {"w": np.ones(2)}, ("w",)),
    "random_network": Numbers(
        slth.random_network, {"d": 2, "width": 3, "seed": 0}, (), ("d", "width", "seed")
    ),
    "subset_sum": Numbers(
        slth.subset_sum,
        {"samples": np.arange(1.0, 5.0), "targets": np.ones(2), "at_most": 2},
        ("samples", "targets"),
        ("at_most",),
    ),
    "prune_layer": Numbers(
        partial(prune_layer, target=TARGET, eps=0.5),
        {"hidden": FOUR, "middle": np.ones((2, 4)), "output": np.array([1.0, -1.0])},
        ("hidden", "middle", "output"),
    ),
    "vector_subset_sum": Numbers(
        partial(vector_subset_sum, eps=0.1),
        {"samples": FOUR, "target": FOUR[0]},
        ("samples", "target"),
    ),
    "certify": Numbers(
        partial(slth.certify, **PAIR),
        {"seed": 0, "radius": 1.0, "rtol": 0.1, "eps": 0.5, "time_limit": 1e6},
        ("radius", "rtol", "eps", "time_limit"),
        ("seed",),
    ),
    "certify_many": Numbers(
        lambda **given: slth.certify_many([NET], TARGET, **given),
        {"seed": 0, "radius": 1.0, "rtol": 0.1, "eps": 0.5, "time_limit": 1e6},
        ("radius", "rtol", "eps", "time_limit"),
        ("seed",),
    ),
    "agree": Numbers(
        partial(slth.agree, LABELS, LABELS, slth.Ball(1.0)),
        {"seed": 0, "delta": 0.5, "time_limit": 1e6},
        ("delta", "time_limit"),
        ("seed",),
    ),
    "agree_on": Numbers(
        partial(slth.agree_on, LABELS, LABELS),
        {"X": ROWS, "radius": 0.01, "seed": 0, "time_limit": 1e6},
        ("X", "radius", "time_limit"),
        ("seed",),
    ),
    "compress": Numbers(
        partial(slth.compress, LABELS, slth.Ball(1.0)),
        {"eps": 0.5, "seed": 0, "time_limit": 1e6},
        ("eps", "time_limit"),
        ("seed",),
    ),
    "embed": Numbers(
        partial(slth.embed, NET),
        {"eps": 0.5, "seed": 0, "workers": 1},
        ("eps",),
        ("seed", "workers"),
    ),
    "prune_neurons": Numbers(
        partial(slth.prune_neurons, **PAIR),
        {"seed": 0, "radius": 1.0, "eps": 0.5, "time_limit": 1e6},
        ("radius", "eps", "time_limit"),
        ("seed",),
    ),
    "prune_weights": Numbers(
        partial(slth.prune_weights, **PAIR),
        {"seed": 0, "radius": 1.0, "eps": 0.5, "time_limit": 1e6},
        ("radius", "eps", "time_limit"),
        ("seed",),
    ),
    "contenders": Numbers(
        partial(contend, NET, TARGET, "magnitude"),
        {"seed": 0, "radius": 1.0, "eps": 0.5, "time_limit": 1e6},
        ("radius", "eps", "time_limit"),
        ("seed",),
    ),
    "strategies": Numbers(
        partial(
            slth.prune_weights,
            slth.random_network(2, 8, 0, "relu"),
            TARGET,
            strategy="malach",
        ),
        {"seed": 0, "radius": 1.0, "eps": 0.5},
        ("radius", "eps"),
        ("seed",),
    ),
}
# Public names that take neither networks nor numbers of a user.
NEITHER = {
    "Compression": "what compress returns",
    "Embedding": "what embed returns",
    "Enclosure": "what certify returns",
    "Enclosures": "what certify_many returns",
    "Identity": "has no parameters",
    "InvalidInput": "an error",
    "LabelVerdict": "what agree returns",
    "Mask": "truth values only",
    "MissingExtra": "an error",
    "Relu": "has no parameters",
    "Residual": "items only",
    "SlthError": "an error",
    "Solution": "what the prunings return",
    "Status": "words",
    "TicketError": "an error",
    "Verdict": "what check returns",
    "check": "a ticket's file",
    "load": "an embedding's file",
    "theory": "its own table",
}

WORKS = {"d": 3, "eps": 0.1, "radius": 2.0, "delta": 0.05}
CHAIN = slth.theory.Chain(0.25, 0.5, 4)
ARRAYS = {"hidden": FOUR, "output": np.arange(1.0, 5.0), "target": np.array([0.6, 0.8])}
BINS = slth.theory.make_bins(2.0, 0.5)


def _from(names: str, **more: Any) -> dict[str, Any]:
    known = {**WORKS, **ARRAYS, "chain": CHAIN, "bins": BINS, "family": 0, "k": 3}
    return {**{name: known[name] for name in names.split()}, **more}


# Functions of slth.theory with a d, a count, a seed or weights among their parameters: arguments
# that they accept.
THEORY = {
    "audit": _from("", seed=0),
    "bin_errors": _from("hidden output target family bins"),
    "broken_bin_error": _from("hidden output target family", interval=(0.5, 1.0)),
    "broken_bins": _from("hidden output target bins", tolerance=0.1),
    "cap_probability": _from("d eps"),
    "chernoff_lemma7": _from("k", chain=slth.theory.Chain(0.1, 0.5, 4)),
    "counting_width": _from("d eps radius delta"),
    "covering_failure": _from("d eps radius", width=10),
    "covering_width": _from("d eps radius delta"),
    "drawn_unit_refuted_width": _from("d eps radius delta"),
    "exact_law": _from("chain k"),
    "family_count": _from("d"),
    "family_points": _from("d family", t=np.ones(2)),
    "hit_by": _from("chain k"),
    "kinks": _from("hidden output"),
    "law": _from("chain k"),
    "lemma7": _from("chain k"),
    "lemma8": _from(
        "d k", chosen=slth.theory.constants(0.01, 2.0, gamma=0.25, margin=0.25, share=0.5)
    ),
    "lemma9": _from("chain", width=10, families=2),
    "log_at_zero": _from("chain k"),
    "log_cap_probability": _from("d eps"),
    "max_refuted_width": _from("d eps radius delta"),
    "missing_breakpoint_error": _from("hidden output target family radius"),
    "neuron_pruning_sufficient_width": _from("d eps radius delta"),
    "plan": _from("d eps radius delta"),
    "pruning_process": _from("hidden output target family bins", tolerance=0.1),
    "route_width": _from("d eps radius delta"),
    "single_unit_refuted_width": _from("d eps radius delta"),
    "single_unit_sufficient_width": _from("d eps radius delta"),
    "small_units": _from("hidden output target"),
    "small_units_width": _from("d eps radius delta"),
    "spectral_width": _from("d eps radius delta"),
    "success_by_chance": _from("d k eps radius"),
    "universal_constant": _from("d"),
    "weight_mask_width": _from("target eps radius delta"),
    "weight_pruning_width": _from("d eps radius delta"),
    "weighted_units": _from("hidden output target"),
    "weighted_units_width": _from("d eps radius delta"),
    "zonal_width": _from("d eps radius delta"),
}
COUNTS = {"d", "k", "width", "families", "seed", "family"}
WEIGHTS = {"hidden", "output", "target"}


def hostile_values(like: Any) -> Iterator[tuple[str, Any]]:
    """Arrays of the shape of `like` that float64 does not hold."""
    shape = np.shape(like)
    for name, array in {**HOSTILE, **OBJECTS}.items():
        if isinstance(array, np.ndarray) or name != "ragged":
            flat = np.ma.asanyarray(array) if name == "masked" else np.array(array, copy=True)
            flat = flat.ravel()
            count = max(1, int(np.prod(shape)))
            filled = np.ma.resize(flat, count) if name == "masked" else np.resize(flat, count)
            if name == "masked":
                filled[0] = np.ma.masked
            yield name, filled.reshape(shape)
        elif len(shape) == 2:
            yield name, array


FRACTIONS = {
    "a fraction": 1.5,
    "a whole float": 2.0,
    "nothing": None,
    "text": "2",
    "a truth value": True,
    "complex": 2 + 0j,
    "negative": -1,
}
