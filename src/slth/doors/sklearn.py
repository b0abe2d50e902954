"""scikit-learn's multilayer perceptrons."""

from __future__ import annotations

from typing import Any

from slth.deep import DeepNetwork
from slth.errors import InvalidInput
from slth.layers import Dense


def from_sklearn(model: Any) -> DeepNetwork:
    """The network of a fitted MLPClassifier or MLPRegressor with activation "relu".

    A classifier's last activation is "softmax", or "sigmoid" for two classes and several labels.

    Raises:
        InvalidInput: another estimator, one that is not fitted, another activation.
    """
    if not (hasattr(model, "coefs_") and hasattr(model, "intercepts_")):
        raise InvalidInput(
            "estimator is not a fitted multilayer perceptron",
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
    last = {"identity": None, "softmax": "softmax", "logistic": "sigmoid"}[model.out_activation_]
    return DeepNetwork(tuple(Dense(weight.T, bias) for weight, bias in pairs), last)  # type: ignore[arg-type]
