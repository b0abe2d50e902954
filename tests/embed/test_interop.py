"""scikit-learn's perceptrons as targets."""

import warnings

import numpy as np
import pytest

import slth
from slth.doors import as_network

sklearn = pytest.importorskip("sklearn.neural_network")


def fitted(kind, outputs, **options):
    rng = np.random.default_rng(0)
    x = rng.random((60, 5))
    y = rng.integers(0, outputs, 60) if kind == "MLPClassifier" else rng.random((60, outputs))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = getattr(sklearn, kind)(
            hidden_layer_sizes=(7, 6), max_iter=20, random_state=0, activation="relu", **options
        )
        return model.fit(x, y), x


@pytest.mark.parametrize("outputs", [2, 4])
def test_a_classifier(outputs):
    model, x = fitted("MLPClassifier", outputs)
    network = as_network(model)
    logits = network.logits(x)
    probabilities = model.predict_proba(x)[:, 1:] if outputs == 2 else model.predict_proba(x)
    np.testing.assert_allclose(network(x), probabilities, rtol=1e-10)
    if outputs == 2:
        classes = (logits[:, 0] > 0).astype(int)
    else:
        classes = logits.argmax(axis=1)
    np.testing.assert_array_equal(classes, model.predict(x))
    found = slth.embed(model, 0.1, domain=slth.Box(0.0, 1.0), workers=1)
    assert np.abs(found(x) - logits).max() <= found.error <= 0.1


def test_a_regressor():
    model, x = fitted("MLPRegressor", 3)
    np.testing.assert_allclose(as_network(model)(x), model.predict(x), rtol=1e-10)


def test_what_has_no_counterpart_is_refused():
    with pytest.raises(slth.InvalidInput, match="fitted"):
        as_network(sklearn.MLPClassifier())
    model, _ = fitted("MLPRegressor", 1)
    model.activation = "tanh"
    with pytest.raises(slth.InvalidInput, match="ReLU"):
        as_network(model)
