"""scikit-learn: fitted multilayer perceptrons, alone or behind scalers in a Pipeline."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from slth.deep import DeepNetwork
from slth.doors.chain import reciprocal
from slth.doors.normalise import behind_scaler
from slth.errors import InvalidInput, require_array
from slth.layers import Dense
from slth.rounding.outward import UNIT

_LASTS = {"identity": None, "softmax": "softmax", "logistic": "sigmoid"}


def from_sklearn(model: Any) -> DeepNetwork:
    """The network of a fitted MLPClassifier or MLPRegressor with activation "relu", or of a
    Pipeline that ends with one behind StandardScaler and MinMaxScaler steps (folded into the first
    layer, which states what that rounds).

    A classifier's last activation is "softmax", or "sigmoid" for two classes and several labels.

    Raises:
        InvalidInput: another estimator, one that is not fitted, another activation, a scaler that
            clips, other steps.
    """
    steps = [step for _, step in model.steps] if hasattr(model, "steps") else [model]
    steps = [step for step in steps if step is not None and step != "passthrough"]
    network = _perceptron(steps[-1])
    for scaler in reversed(steps[:-1]):
        first, *others = network.items
        network = replace(network, items=(_behind(first, scaler), *others))  # type: ignore[arg-type]
    return network


def _perceptron(model: Any) -> DeepNetwork:
    if type(model).__name__ not in ("MLPClassifier", "MLPRegressor"):
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
    if model.activation != "relu" and len(model.coefs_) > 1:
        raise InvalidInput(
            "activation without ReLU",
            got=repr(model.activation),
            expected="'relu'",
            fix="Train with activation='relu'.",
        )
    pairs = zip(model.coefs_, model.intercepts_, strict=True)
    layers = tuple(Dense(np.asarray(weight).T, bias) for weight, bias in pairs)
    return DeepNetwork(layers, _LASTS[model.out_activation_])  # type: ignore[arg-type]


def _behind(layer: Dense, scaler: Any) -> Dense:
    """The first layer, reading what the scaler reads."""
    name = type(scaler).__name__
    count = layer.weight.shape[1]
    exact = np.zeros(count)
    if name == "StandardScaler" and hasattr(scaler, "n_features_in_"):
        mean = exact if scaler.mean_ is None else require_array("mean_", scaler.mean_, ndim=1)
        scale = np.ones(count)
        if scaler.scale_ is not None:
            scale = require_array("scale_", scaler.scale_, ndim=1)
        factor, off = reciprocal(scale, "StandardScaler")
        shift = -mean * factor
        shift_off = 2.0 * UNIT * np.abs(shift) + np.abs(mean) * off * (1.0 + 4.0 * UNIT)
        return behind_scaler(layer, factor, off, shift, shift_off)
    if name == "MinMaxScaler" and hasattr(scaler, "scale_"):
        if scaler.clip:
            raise InvalidInput(
                "scaler that clips",
                got="MinMaxScaler(clip=True)",
                expected="an affine scaler",
                fix="Fit with clip=False and state the range as a slth.Box.",
            )
        scale = require_array("scale_", scaler.scale_, ndim=1)
        least = require_array("min_", scaler.min_, ndim=1)
        return behind_scaler(layer, scale, exact, least, exact)
    raise InvalidInput(
        "step of a Pipeline that has no counterpart, or is not fitted",
        got=name,
        expected="a fitted StandardScaler or MinMaxScaler",
        fix="Transform the data first and read the perceptron alone.",
    )
