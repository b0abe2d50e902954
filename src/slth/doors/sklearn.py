"""scikit-learn: fitted multilayer perceptrons, alone or behind scalers in a Pipeline."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import Any

import numpy as np

from slth.deep import DeepNetwork
from slth.doors.agreement import agrees
from slth.doors.exact import exact_dtype
from slth.doors.normalise import behind_scaler, standardised
from slth.errors import InvalidInput, MissingExtra, require_array
from slth.layers import Dense, FloatArray, Identity, bias_of
from slth.network import ReLUNetwork

# The network is held against the estimator's own values at this many points of each size.
_COMPARED, _SIZES = 16, (1.0, 1e-3, 1e3, 1e6)
_LASTS = {"identity": None, "softmax": "softmax", "logistic": "sigmoid"}


def from_sklearn(model: Any) -> DeepNetwork:
    """The network of a fitted MLPClassifier or MLPRegressor with activation "relu" or "identity",
    or of a Pipeline that ends with one behind StandardScaler and MinMaxScaler steps (folded into
    the first layer, which states what that rounds).

    A classifier's last activation is "softmax", or "sigmoid" for two classes and several labels.

    Raises:
        InvalidInput: another estimator, one that is not fitted or was changed into one that does
            not predict, another activation, a scaler that clips, other steps.
    """
    try:
        return _folded(model)
    except InvalidInput:
        raise
    except (ValueError, TypeError, AttributeError, LookupError) as error:
        # What the library raises for an estimator that lost a part, or has one of another shape.
        raise InvalidInput(
            "estimator that does not predict",
            got=f"{type(model).__name__} ({type(error).__name__}: {error})"[:300],
            expected="an estimator as it was fitted",
            fix="Fit it again, or write the network down as a slth.DeepNetwork.",
        ) from error


def _folded(model: Any) -> DeepNetwork:
    """The network with the scalers folded into its first layer."""
    steps = [step for _, step in model.steps] if _is(model, "Pipeline") else [model]
    steps = [step for step in steps if step is not None and step != "passthrough"]
    network = _perceptron(steps[-1] if steps else model)
    for scaler in reversed(steps[:-1]):
        first, *others = network.items
        network = replace(network, items=(_behind(first, scaler), *others))  # type: ignore[arg-type]
    _require_same_values(model, network)
    return network


def _require_same_values(model: Any, network: DeepNetwork) -> None:
    """The network gives what the estimator itself predicts, at random points of several sizes."""
    rng = np.random.default_rng(0)
    classifies = network.last is not None
    for reach in _SIZES:
        points = reach * rng.uniform(-1.0, 1.0, (_COMPARED, network.d))
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            # Of columns that had names, and of what overflows.
            warnings.simplefilter("ignore")
            own = _predictions(model, points, classifies)
        if classifies and network.outputs == 1:
            own = own[:, 1]
        own = own.reshape(_COMPARED, -1)
        if not agrees(network, points, own):
            raise InvalidInput(
                "estimator predicts something else than its weights say",
                got=f"values that differ from {network!r}",
                expected="an estimator as it was fitted",
                fix="Fit it again, or write the network down as a slth.DeepNetwork.",
            )


def _predictions(model: Any, points: np.ndarray, classifies: bool) -> np.ndarray:
    try:
        return np.asarray(model.predict_proba(points) if classifies else model.predict(points))
    except (AttributeError, IndexError, TypeError, ValueError) as error:
        raise InvalidInput(
            "estimator that cannot predict",
            got=f"{type(error).__name__}: {error}",
            expected="an estimator as it was fitted",
            fix="Fit it again, or write the network down as a slth.DeepNetwork.",
        ) from error


def _perceptron(model: Any) -> DeepNetwork:
    if not _is(model, "MLPClassifier") and not _is(model, "MLPRegressor"):
        raise InvalidInput(
            "estimator is not a multilayer perceptron",
            got=type(model).__name__,
            expected="an MLPClassifier or MLPRegressor, alone or last in a Pipeline",
            fix="Convert other models to ONNX or to slth.DeepNetwork.",
        )
    if not (hasattr(model, "coefs_") and hasattr(model, "intercepts_")):
        raise InvalidInput(
            "estimator is not fitted",
            got=type(model).__name__,
            expected="an MLPClassifier or MLPRegressor after fit",
            fix="Call fit first.",
        )
    if model.activation not in ("relu", "identity") and len(model.coefs_) > 1:
        raise InvalidInput(
            "activation without ReLU",
            got=repr(model.activation),
            expected="'relu', or 'identity'",
            fix="Train with activation='relu'.",
        )
    if model.out_activation_ not in _LASTS or len(model.coefs_) != len(model.intercepts_):
        raise InvalidInput(
            "estimator without a counterpart",
            got=f"output activation {model.out_activation_!r}, {len(model.coefs_)} matrices and "
            f"{len(model.intercepts_)} biases",
            expected=f"one of {', '.join(_LASTS)}, and a bias for every matrix",
            fix="Fit it with the squared error, or convert it to slth.DeepNetwork without its last "
            "activation.",
        )
    pairs = zip(model.coefs_, model.intercepts_, strict=True)
    layers: list[Any] = [Dense(np.asanyarray(weight).T, bias) for weight, bias in pairs]
    if model.activation == "identity" and len(layers) > 1:
        # Said once, it says of all places that no ReLU stands there.
        layers.insert(1, Identity())
    return DeepNetwork(tuple(layers), _LASTS[model.out_activation_])  # type: ignore[arg-type]


def _is(model: Any, name: str) -> bool:
    """Whether it is of the library's class itself: a subclass may compute something else."""
    return type(model).__name__ == name and type(model).__module__.startswith("sklearn.")


def _behind(layer: Dense, scaler: Any) -> Dense:
    """The first layer, reading what the scaler reads."""
    name = type(scaler).__name__
    count = layer.weight.shape[1]
    exact = np.zeros(count)
    if _is(scaler, "StandardScaler") and hasattr(scaler, "n_features_in_"):
        mean, scale = exact, np.ones(count)
        # What is there may not be used: the mean with scaling alone.
        if scaler.with_mean:
            mean = _column("mean_", scaler.mean_, count)
        if scaler.with_std:
            scale = _column("scale_", scaler.scale_, count)
        return behind_scaler(layer, *standardised(mean, scale, name))
    if _is(scaler, "MinMaxScaler") and hasattr(scaler, "scale_"):
        if scaler.clip:
            raise InvalidInput(
                "scaler that clips",
                got="MinMaxScaler(clip=True)",
                expected="an affine scaler",
                fix="Fit with clip=False and state the range as a slth.Box.",
            )
        scale = _column("scale_", scaler.scale_, count)
        least = _column("min_", scaler.min_, count)
        return behind_scaler(layer, scale, exact, least, exact)
    raise InvalidInput(
        "step of a Pipeline that has no counterpart, or is not fitted",
        got=name,
        expected="a fitted StandardScaler or MinMaxScaler",
        fix="Transform the data first and read the perceptron alone.",
    )


def _column(name: str, values: Any, count: int) -> FloatArray:
    """A scaler's numbers, one an input."""
    column = require_array(name, values, ndim=1)
    if len(column) != count:
        raise InvalidInput(
            "scaler incompatible with the perceptron",
            got=f"{name} of {len(column)} numbers",
            expected=f"{count}, one an input",
            fix="Fit the Pipeline as a whole.",
        )
    return column


def to_sklearn(network: ReLUNetwork | DeepNetwork) -> Any:
    """A fitted MLPRegressor that computes the network, or an MLPClassifier where a softmax (classes
    0, 1, ...) or, with one output, a sigmoid (classes 0 and 1) is last.

    Args:
        network: dense layers with a ReLU between them.

    Raises:
        MissingExtra: scikit-learn is not installed.
        InvalidInput: another network, or weights that are known up to rounding only.
    """
    try:
        from sklearn import neural_network
        from sklearn.preprocessing import LabelBinarizer
    except ImportError as error:
        raise MissingExtra("scikit-learn", "sklearn", "Making an estimator") from error
    deep = DeepNetwork.of(network)
    exact_dtype(deep)
    layers = [item for item in deep.items if isinstance(item, Dense)]
    classes = None
    if deep.last == "softmax" and deep.outputs > 2:
        classes = np.arange(deep.outputs)
    elif deep.last == "sigmoid" and deep.outputs == 1:
        classes = np.arange(2)
    if len(layers) != len(deep.items) or (deep.last is not None and classes is None):
        raise InvalidInput(
            "network without a scikit-learn estimator",
            got=deep.summary(),
            expected="dense layers, a ReLU between them, nothing last, a softmax of three or more "
            "outputs or a sigmoid of one",
            fix="Write it with slth.write_network, or make a torch module of it.",
        )
    sizes = [layer.weight.shape[0] for layer in layers]
    kind = neural_network.MLPRegressor if classes is None else neural_network.MLPClassifier
    model: Any = kind(hidden_layer_sizes=tuple(sizes[:-1]), activation="relu")
    model.coefs_ = [layer.weight.T.copy() for layer in layers]
    model.intercepts_ = [bias_of(layer).copy() for layer in layers]
    model.n_features_in_, model.n_outputs_ = deep.d, deep.outputs
    model.n_layers_ = len(layers) + 1
    model.out_activation_ = {None: "identity", "softmax": "softmax", "sigmoid": "logistic"}[
        deep.last  # type: ignore[index]
    ]
    if classes is not None:
        model.classes_ = classes
        model._label_binarizer = LabelBinarizer().fit(classes)
    return model
