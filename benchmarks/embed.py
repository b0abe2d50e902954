"""Deep networks as seed + mask: digits, and a 784-500-10 network.

Digits: scikit-learn's bundled 8 x 8 images, a perceptron trained here, embedded at several eps over
all images with pixels in [0, 1]. A prediction is *certified* where the two largest outputs of
the trained network differ by more than twice the certified error: no rounding of the mask can
change it. 784-500-10: weights of the usual initial distribution in place of trained ones, as none
are bundled.
"""

from __future__ import annotations

import resource
import tempfile
import time
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

import slth
from benchmarks.table import show
from slth.deep import DeepNetwork, mlp
from slth.doors import as_network

_PIXELS = slth.Box(0.0, 1.0)
_EPS = (10.0, 3.0, 1.0, 0.1, 0.01)
_SAMPLES = 20_000


def written(found: slth.Embedding) -> int:
    """Bytes of the file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.slt"
        size = found.save(path)
        again = slth.load(path)
        zeros = np.zeros(found.input_shape)
        if not np.array_equal(again(zeros), found(zeros)):
            raise RuntimeError("the file is not the embedding")
    return size


def observed(found: slth.Embedding, network: DeepNetwork, x: np.ndarray) -> float:
    """The largest error at the points."""
    return float(np.abs(found(x) - network(x)).max())


def digits() -> None:
    """One row for every eps, hidden layers and construction."""
    images, labels = load_digits(return_X_y=True)
    train_x, test_x, train_y, test_y = train_test_split(
        images / 16.0, labels, test_size=0.3, random_state=0, stratify=labels
    )
    noise = np.random.default_rng(0).random((_SAMPLES, 64))
    rows = []
    for hidden in ((32,), (64, 32)):
        model = MLPClassifier(hidden, alpha=1.0, max_iter=1000, random_state=0)
        model.fit(train_x, train_y)
        network = as_network(model)
        outputs = network(test_x)
        before = outputs.argmax(axis=1)
        ordered = np.sort(outputs, axis=1)
        margins = ordered[:, -1] - ordered[:, -2]
        for construction in ("double", "plus-one"):
            for eps in _EPS if construction == "double" else _EPS[2:3]:
                started = time.process_time()
                found = slth.embed(network, eps, domain=_PIXELS, construction=construction)
                seconds = time.process_time() - started
                after = found(test_x).argmax(axis=1)
                size, plain = written(found), 4 * network.weights
                rows.append(
                    (
                        "-".join(map(str, (64, *hidden, 10))),
                        construction,
                        f"{eps:g}",
                        str(found.status),
                        found.error,
                        observed(found, network, np.concatenate([test_x, noise])),
                        size,
                        f"{plain / size:.2f}x",
                        f"{100 * (before == test_y).mean():.1f} %",
                        f"{100 * (after == test_y).mean():.1f} %",
                        f"{(before == after).sum()} of {len(test_y)}",
                        int((margins > 2 * found.error).sum()),
                        seconds,
                    )
                )
    headings = ("network", "construction", "eps", "status", "certified", "observed", "bytes")
    headings += ("float32 is", "test before", "after", "equal", "certified equal", "CPU s")
    show("digits as seed + mask, pixels in [0, 1]", headings, rows)


def large() -> None:
    """784-500-10 over the unit ball and over pixels."""
    rng = np.random.default_rng(0)
    network = mlp(
        [
            (rng.standard_normal((out, ins)) * np.sqrt(2 / ins), 0.05 * rng.standard_normal(out))
            for out, ins in ((500, 784), (10, 500))
        ]
    )
    rows = []
    for domain in (slth.Ball(1.0), _PIXELS):
        for eps in (0.1, 0.01):
            wall, cpu = time.perf_counter(), time.process_time()
            found = slth.embed(network, eps, domain=domain)
            wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
            x = rng.random((1000, 784))
            if isinstance(domain, slth.Ball):
                x = rng.standard_normal((1000, 784))
                x /= np.linalg.norm(x, axis=1, keepdims=True)
            size = written(found)
            rows.append(
                (
                    str(domain),
                    f"{eps:g}",
                    str(found.status),
                    found.error,
                    observed(found, network, x),
                    size,
                    f"{4 * network.weights / size:.2f}x",
                    f"{found.kept_weights / 1e6:.1f} of {found.random_weights / 1e6:.0f} million",
                    wall,
                    cpu,
                    resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
                )
            )
    headings = ("domain", "eps", "status", "certified", "observed", "bytes", "float32 is")
    headings += ("random weights kept", "s", "CPU s", "peak GiB")
    show("784-500-10, two random layers for each of its own", headings, rows)


def main() -> None:
    """Both tables."""
    large()
    digits()


if __name__ == "__main__":
    main()
