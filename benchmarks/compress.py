"""Trained networks with fewer hidden units: `python -m benchmarks compress`.

Data sets of scikit-learn, one to three hidden layers: at the units that `slth.compress` keeps for
an eps, the certified error of other criteria that keep as many (by slth: their authors bound none).
Then the labels of digits on boxes around the test images, against what an attack allows.
NETWORKS=WORD: only those whose names hold it.
"""

from __future__ import annotations

import os
import time
import warnings

import numpy as np

import slth
from benchmarks.table import show
from slth.certify.deep.region import Region
from slth.certify.deep.rows import LabelledBoxes
from slth.limits import Deadline
from slth.pruning.trained.hidden import HiddenUnits
from slth.pruning.trained.labels import KeptLabels

_SECONDS = 15.0


def main() -> None:
    """Print the tables."""
    with warnings.catch_warnings():
        # The perceptrons are stopped early on purpose.
        warnings.simplefilter("ignore")
        sets = _data()
    word = os.environ.get("NETWORKS", "")
    rows = []
    for name, (network, points, _) in sets.items():
        if word not in name:
            continue
        spread = float(np.ptp(network.logits(points), axis=0).max())
        for share in (0.05, 0.2):
            rows += _compared(name, network, points, share * spread)
    headings = ("network", "eps", "method", "units", "certified", "attained", "CPU s")
    show("Certified error on the box of the data", headings, rows)
    if word not in "digits 64-32":
        return
    show(
        "Digits, labels on boxes of radius 0.5 of 16 levels",
        ("rows", "units", "left, certified", "left, attack", "share", "CPU s"),
        [_labels(*sets["digits 64-32"])],
    )


def _data() -> dict[str, tuple[slth.DeepNetwork, np.ndarray, np.ndarray]]:
    """name: network, training points, test points; inputs from 0 to 16 (digits) or 0 to 1."""
    from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits
    from sklearn.model_selection import train_test_split
    from sklearn.neural_network import MLPClassifier, MLPRegressor

    made = {}
    for name, load, kind, sizes in (
        ("diabetes 24", load_diabetes, MLPRegressor, (24,)),
        ("breast cancer 16-12", load_breast_cancer, MLPClassifier, (16, 12)),
        ("breast cancer 12-10-8", load_breast_cancer, MLPClassifier, (12, 10, 8)),
        ("digits 64-32", load_digits, MLPClassifier, (64, 32)),
    ):
        x, y = load(return_X_y=True)
        if load is not load_digits:
            x = (x - x.min(axis=0)) / np.ptp(x, axis=0)
        train, test, target, _ = train_test_split(x, y, test_size=0.2, random_state=0)
        model = kind(hidden_layer_sizes=sizes, max_iter=300, random_state=0).fit(train, target)
        network = slth.DeepNetwork.of(slth.as_network(model))
        made[name] = network, train, test
    made["generated 24-12"] = _housing(MLPRegressor)
    return made


def _housing(kind: type) -> tuple[slth.DeepNetwork, np.ndarray, np.ndarray]:
    """Generated data shaped like house prices by district: 8 inputs in [0, 1] (two of them a
    place, two all but equal), a price that saturates; an 8-24-12-1 network."""
    rng = np.random.default_rng(0)
    x = rng.random((2000, 8))
    x[:, 5] = np.clip(x[:, 4] + 0.05 * rng.standard_normal(len(x)), 0.0, 1.0)
    coast = np.abs(x[:, 6] + x[:, 7] - 1.0)
    price = 3.0 * x[:, 0] ** 2 + 1.5 * np.exp(-4.0 * coast) + 0.5 * x[:, 1] - x[:, 4] * x[:, 2]
    price = np.minimum(price + 0.1 * rng.standard_normal(len(x)), 4.0)
    train, test = x[:1600], x[1600:]
    model = kind(hidden_layer_sizes=(24, 12), max_iter=300, random_state=0).fit(train, price[:1600])
    return slth.DeepNetwork.of(slth.as_network(model)), train, test


def _compared(
    name: str, network: slth.DeepNetwork, points: np.ndarray, eps: float
) -> list[list[object]]:
    box = slth.Box(points.min(axis=0), points.max(axis=0))
    started = time.process_time()
    found = slth.compress(network, box, eps=eps, time_limit=_SECONDS)
    took = time.process_time() - started
    label = f"slth ({found.status}, no fewer than {found.least_units})"
    rows = [[name, eps, label, found.units, found.error.upper, found.error.lower, took]]
    hidden = HiddenUnits(network)
    for method, score in _criteria(hidden, points).items():
        kept = np.zeros(hidden.total, np.bool_)
        kept[np.argsort(-score, kind="stable")[: found.units]] = True
        pruned = hidden.pruned(hidden.split(kept))
        started = time.process_time()
        error = slth.certify(pruned, network, domain=box, time_limit=_SECONDS, rtol=0.05)
        took = time.process_time() - started
        rows.append([name, eps, method, found.units, error.upper, error.lower, took])
    return rows


def _criteria(hidden: HiddenUnits, points: np.ndarray) -> dict[str, np.ndarray]:
    """What others keep: units of the largest scores.

    Magnitude: the norms of the weights in and out. Torch-Pruning L1, L2 (MagnitudeImportance with
    its defaults: sums of |w|^p of the unit's row and of its column in the next layer, averaged over
    the two, divided by the layer's mean; biases apart). Skeletonization (Mozer and Smolensky 1989):
    how much the error on the data grows without the unit. Random: one draw.
    """
    magnitude = []
    grouped: dict[int, list[np.ndarray]] = {1: [], 2: []}
    for layer, reader in zip(hidden.layers, hidden.layers[1:], strict=False):
        into = np.linalg.norm(layer.weight.reshape(len(layer.weight), -1), axis=1)
        out = np.linalg.norm(reader.weight.reshape(len(reader.weight), len(into), -1), axis=(0, 2))
        magnitude.append(into * out)
        rows = np.abs(layer.weight).reshape(len(into), -1)
        columns = np.abs(reader.weight).reshape(len(reader.weight), len(into), -1)
        for power, found in grouped.items():
            score = 0.5 * ((rows**power).sum(axis=1) + (columns**power).sum(axis=(0, 2)))
            found.append(score / score.mean())
    original = hidden.values(points, hidden.everything())
    relevance = np.empty(hidden.total)
    for unit in range(hidden.total):
        kept = np.ones(hidden.total, np.bool_)
        kept[unit] = False
        change = hidden.values(points, hidden.split(kept)) - original
        relevance[unit] = float(np.square(change).mean())
    return {
        "magnitude": np.concatenate(magnitude),
        "Torch-Pruning L1": np.concatenate(grouped[1]),
        "Torch-Pruning L2": np.concatenate(grouped[2]),
        "skeletonization": relevance,
        "random": np.random.default_rng(0).random(hidden.total),
    }


def _labels(network: slth.DeepNetwork, _: np.ndarray, test: np.ndarray) -> list[object]:
    started = time.process_time()
    found = slth.compress(network, slth.Box(0.0, 16.0), agree_on=test, radius=0.5, time_limit=60.0)
    took = time.process_time() - started
    hidden = HiddenUnits(network)
    low, high = np.clip(test - 0.5, 0.0, 16.0), np.clip(test + 0.5, 0.0, 16.0)
    given = LabelledBoxes(Region(low, high, None), network.logits(test).argmax(axis=1))
    rows = given.chosen(np.flatnonzero(~given.open(network, 256, Deadline(60.0))))
    by_attack = _ByAttack(hidden, rows, Deadline(60.0), lambda _: None)
    left = int(by_attack.run(np.ones(hidden.total, np.bool_)).sum())
    share = (hidden.total - found.units) / max(1, hidden.total - left)
    return [found.stats["rows"], hidden.total, found.units, left, share, took]


class _ByAttack(KeptLabels):
    """The same search where no attack may change a label, in place of a certificate."""

    def _certified(self, kept: np.ndarray) -> bool:
        pruned = self.hidden.pruned(self.hidden.split(kept))
        points = np.concatenate([self.rows.boxes.center, self.rows.attacked(pruned)])
        return bool((pruned.logits(points).argmax(axis=1) == np.tile(self.rows.labels, 2)).all())


if __name__ == "__main__":
    main()
