"""Mutated files of every kind: refused, or read as independent readers read them."""

from collections import Counter

import numpy as np

from tests.doors.fuzz import corpus, judge, mutated


def test_the_corpus_itself_is_read(tmp_path):
    seen = Counter(
        (ending, judge(tmp_path / f"net.{ending}", ending, data))
        for ending, data in corpus(tmp_path)
    )
    assert {outcome for _, outcome in seen} == {"read"}
    assert {ending for ending, _ in seen} == {"onnx", "npz", "safetensors", "nnet", "vnnlib"}


def test_mutations_are_refused_or_read_right(tmp_path):
    rng = np.random.default_rng(2026)
    files = corpus(tmp_path)
    seen = Counter()
    for trial in range(1200):
        ending, data = files[trial % len(files)]
        changed = mutated(rng, ending, data)
        seen[judge(tmp_path / f"mutated.{ending}", ending, changed)] += 1
    # The slow readers know all that the doors know; left are numbers beyond single precision.
    assert seen["unjudged"] <= 2
    assert seen["refused"] > 500
    assert seen["read"] > 150
