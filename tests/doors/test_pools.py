"""Average pools of ONNX: large ones in little time and memory, and held against onnx's own pool."""

import resource

import numpy as np
import pytest

import slth
from slth.doors.onnx import from_onnx
from slth.doors.onnx.evaluate import evaluated as by_node
from tests.doors.graphs import model_of

onnx = pytest.importorskip("onnx", reason="onnx is not installed: pip install onnx")


def pool(shape, **options):
    return model_of([("AveragePool", ["x"], "y", options)], shape)


def test_a_kernel_of_5000_by_5000_costs_next_to_nothing():
    model = pool([1, 1, 1, 1], kernel_shape=[5000] * 2, pads=[2500, 2500, 2499, 2499],
                 count_include_pad=1)  # fmt: skip
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert from_onnx(model)([1.0]) == 1.0 / 5000**2
    # onnx's own pool took 3 GB, and half a minute. Kilobytes.
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000


@pytest.mark.parametrize(
    ("shape", "options"),
    [
        # One row and column of padding more than a window meets.
        ([1, 1, 1, 1], {"kernel_shape": [2, 2], "pads": [2, 2, 0, 0]}),
        ([1, 2, 3, 3], {"kernel_shape": [1, 1], "pads": [0, 0, 0, 1]}),
    ],
)
def test_means_of_nothing_are_refused(shape, options):
    with pytest.raises(slth.InvalidInput, match="padding alone"):
        from_onnx(pool(shape, **options))
    assert from_onnx(pool(shape, count_include_pad=1, **options)).outputs > 0


def test_windows_of_much_padding_are_refused():
    tall = {"kernel_shape": [2**23, 1], "pads": [2**23, 0, 2**23, 0], "count_include_pad": 1}
    with pytest.raises(slth.InvalidInput, match="padding included"):
        from_onnx(pool([1, 1, 1, 1], **tall))


def test_sums_over_counts_are_the_evaluators_own_pool():
    rng = np.random.default_rng(0)
    for _ in range(150):
        options = {"kernel_shape": rng.integers(1, 4, 2), "strides": rng.integers(1, 4, 2)}
        match rng.integers(4):
            case 0:
                options["pads"] = np.minimum(rng.integers(0, 3, 4), np.tile(
                    options["kernel_shape"] - 1, 2))  # fmt: skip
            case 1:
                options["auto_pad"] = str(rng.choice(["SAME_UPPER", "SAME_LOWER", "VALID"]))
                # Where a stride is larger, the evaluator's own pool asks for negative padding.
                options["strides"] = np.minimum(options["strides"], options["kernel_shape"])
        options["count_include_pad"] = int(rng.integers(2))
        options = {
            name: value.tolist() if isinstance(value, np.ndarray) else value
            for name, value in options.items()
        }
        model = pool([1, 2, 5, 4], **options)
        (node,) = model.graph.node
        x = rng.normal(size=(1, 2, 5, 4))
        (mine,) = by_node(onnx, node, {"x": x}, 17).values()
        run = onnx.reference.ReferenceEvaluator(model).run
        (own,) = run(None, {"x": x.astype(np.float32)})
        assert mine.shape == own.shape
        np.testing.assert_allclose(mine, own, atol=1e-6)
