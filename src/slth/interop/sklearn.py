"""scikit-learn's multilayer perceptrons."""

from __future__ import annotations

from typing import Any

from slth.errors import InvalidInput
from slth.layers import DeepNetwork, Dense


def from_sklearn(model: Any) -> DeepNetwork:
    """The network of a fitted MLPClassifier or MLPRegressor with activation "relu".

    Its outputs are those before softmax or logistic: the predicted class is their argmax, or for
    two classes the sign of the one output.

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
    return DeepNetwork(tuple(Dense(weight.T, bias) for weight, bias in pairs))
