"""scikit-learn's perceptrons, alone and behind scalers."""

import warnings

import numpy as np
import pytest
from sklearn import neural_network
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, RobustScaler, StandardScaler

import slth
from slth.doors.sklearn import to_sklearn
from tests.doors.graphs import RNG

X = np.random.default_rng(0).normal(size=(60, 5))
X = X * [1.0, 20.0, 0.3, 4.0, 1.0] + [0.0, 7.0, 0.0, -3.0, 1.0]


def fitted(kind, outputs, *scalers, **options):
    y = RNG.integers(0, outputs, 60) if kind == "MLPClassifier" else RNG.random((60, outputs))
    y = y.ravel() if outputs == 1 else y
    options = {"hidden_layer_sizes": (7, 6), "activation": "relu", **options}
    model = getattr(neural_network, kind)(max_iter=20, random_state=0, **options)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return make_pipeline(*scalers, model).fit(X, y) if scalers else model.fit(X, y)


@pytest.mark.parametrize("outputs", [2, 4])
def test_a_classifier(outputs):
    model = fitted("MLPClassifier", outputs)
    network = slth.as_network(model)
    logits = network.logits(X)
    probabilities = model.predict_proba(X)[:, 1:] if outputs == 2 else model.predict_proba(X)
    np.testing.assert_allclose(network(X), probabilities, rtol=1e-9, atol=1e-300)
    classes = (logits[:, 0] > 0).astype(int) if outputs == 2 else logits.argmax(axis=1)
    np.testing.assert_array_equal(classes, model.predict(X))


SCALERS = {
    "standard": [StandardScaler()],
    "standard, mean only": [StandardScaler(with_std=False)],
    "standard, scale only": [StandardScaler(with_mean=False)],
    "standard, nothing": [StandardScaler(with_mean=False, with_std=False)],
    "minmax": [MinMaxScaler((-1.0, 2.0))],
    "two": [StandardScaler(), MinMaxScaler()],
    "three": [MinMaxScaler(), StandardScaler(), StandardScaler()],
}


@pytest.mark.parametrize("scalers", SCALERS.values(), ids=SCALERS)
@pytest.mark.parametrize("outputs", [1, 3])
def test_a_pipeline(scalers, outputs):
    model = fitted("MLPRegressor", outputs, *scalers)
    network = slth.DeepNetwork.of(slth.as_network(model))
    values = model.predict(X).reshape(60, -1)
    np.testing.assert_allclose(network(X), values, rtol=1e-9, atol=1e-11)


def test_several_labels_and_no_activation():
    labels = np.stack([X[:, 0] > 0.0, X[:, 1] > 7.0], axis=1).astype(int)
    several = neural_network.MLPClassifier((7,), random_state=0, solver="lbfgs").fit(X, labels)
    network = slth.as_network(several)
    assert network.last == "sigmoid"
    np.testing.assert_allclose(network(X), several.predict_proba(X), rtol=1e-9, atol=1e-12)
    for hidden in ((7, 6), (7,), ()):
        model = fitted("MLPRegressor", 2, activation="identity", hidden_layer_sizes=hidden)
        network = slth.DeepNetwork.of(slth.as_network(model))
        assert len(list(network.affine())) == len(hidden) + 1
        np.testing.assert_allclose(network(X), model.predict(X), rtol=1e-9, atol=1e-11)


def test_a_scaler_is_read_as_what_it_does_now():
    model = fitted("MLPRegressor", 1, StandardScaler())
    before = model.predict(X)
    model[0].with_std = False
    assert np.abs(model.predict(X) - before).max() > 0.01
    np.testing.assert_allclose(slth.as_network(model)(X).ravel(), model.predict(X), atol=1e-9)


def test_what_predicts_something_else_is_refused():
    model = fitted("MLPRegressor", 1, StandardScaler())
    model[0].transform = lambda X: 2.0 * X
    with pytest.raises(slth.InvalidInput, match="predicts something else"):
        slth.as_network(model)


def test_the_weights_of_a_perceptron_are_exact():
    model = fitted("MLPRegressor", 3)
    network = slth.as_network(model)
    for layer, weight, bias in zip(network.items, model.coefs_, model.intercepts_, strict=True):
        assert (layer.weight == weight.T).all()
        assert (layer.bias == bias).all()
        assert layer.weight_rounding is None


def test_there_and_back():
    for kind, outputs in (("MLPRegressor", 1), ("MLPRegressor", 3), ("MLPClassifier", 2),
                          ("MLPClassifier", 4)):  # fmt: skip
        network = slth.as_network(fitted(kind, outputs))
        made = to_sklearn(network)
        assert slth.as_network(made) == network
        np.testing.assert_allclose(
            made.predict(X).reshape(60, -1) if kind == "MLPRegressor" else made.predict_proba(X),
            network(X) if kind == "MLPRegressor" or outputs > 2
            else np.hstack([1.0 - network(X), network(X)]),
            rtol=1e-9, atol=1e-12,
        )  # fmt: skip
    one = slth.ReLUNetwork([[1.0, 0.5], [0.25, -2.0]], [1.0, -1.0])
    assert slth.as_network(to_sklearn(one)) == one


LAYERS = (slth.Dense(np.eye(3)), slth.Dense(np.eye(3)))
NO_ESTIMATOR = {
    "a last ReLU": slth.DeepNetwork(LAYERS, "relu"),
    "no activation": slth.DeepNetwork((LAYERS[0], slth.Identity(), LAYERS[1])),
    "leaky": slth.DeepNetwork((LAYERS[0], slth.LeakyRelu(0.1), LAYERS[1])),
    "pool": slth.DeepNetwork((slth.AveragePool(2), LAYERS[0]), input_shape=(3, 2, 2)),
}


@pytest.mark.parametrize("network", NO_ESTIMATOR.values(), ids=NO_ESTIMATOR)
def test_shapes_without_an_estimator_are_refused(network):
    with pytest.raises(slth.InvalidInput, match="estimator"):
        to_sklearn(network)


def test_folded_weights_are_not_written():
    with pytest.raises(slth.InvalidInput, match="rounding"):
        to_sklearn(slth.as_network(fitted("MLPRegressor", 2, StandardScaler())))


class Doubled(neural_network.MLPRegressor):
    def predict(self, X):
        return 2.0 * super().predict(X)


def test_what_has_no_counterpart_is_refused():
    tanh = fitted("MLPRegressor", 1, activation="tanh")
    doubled = fitted("MLPRegressor", 1)
    doubled.__class__ = Doubled
    for model, reason in (
        (neural_network.MLPClassifier(), "not fitted"),
        (make_pipeline(StandardScaler(), neural_network.MLPClassifier()), "not fitted"),
        (make_pipeline(StandardScaler(), fitted("MLPRegressor", 1)), "step of a Pipeline"),
        (tanh, "activation"),
        (doubled, "not a multilayer perceptron"),
        (StandardScaler().fit(X), "not a multilayer perceptron"),
        (fitted("MLPRegressor", 1, RobustScaler()), "step of a Pipeline"),
        (fitted("MLPRegressor", 1, MinMaxScaler(clip=True)), "clips"),
    ):
        with pytest.raises(slth.InvalidInput, match=reason):
            slth.as_network(model)


def test_an_estimator_that_was_changed_by_hand_is_refused():
    model = fitted("MLPRegressor", 1)
    model.out_activation_ = "softmax"
    with pytest.raises(slth.InvalidInput, match="cannot predict"):
        slth.as_network(model)
