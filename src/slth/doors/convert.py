"""Objects of other libraries as one of the two kinds of network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from slth.deep import DeepNetwork, mlp
from slth.doors.onnx import from_onnx
from slth.doors.sklearn import from_sklearn
from slth.doors.torch import from_torch
from slth.errors import InvalidInput
from slth.network import ReLUNetwork


def as_network(
    model: Any, *, input_shape: Sequence[int] | None = None
) -> ReLUNetwork | DeepNetwork:
    """Anything known as a network, exactly: a `ReLUNetwork` if it has one hidden layer of ReLUs,
    one output, no bias that is not 0 and nothing or a ReLU after the last layer, else a
    `DeepNetwork`.

    Args:
        model: a network of either kind, [(W, b), ...] with W [out, in] and b [out] or None, a torch
            module, an onnx.ModelProto, or a fitted scikit-learn estimator.
        input_shape: of one input of a torch module that begins with a convolution.

    Raises:
        InvalidInput: anything else, layers that have no counterpart, numbers that float64 does not
            hold. Nothing is left out.
    """
    return simplest(_any_network(model, input_shape))


def simplest(network: ReLUNetwork | DeepNetwork) -> ReLUNetwork | DeepNetwork:
    """The network as a `ReLUNetwork` where it is one."""
    if isinstance(network, DeepNetwork) and network.is_one_hidden_layer:
        return ReLUNetwork.of(network)
    return network


def _any_network(model: Any, input_shape: Sequence[int] | None) -> ReLUNetwork | DeepNetwork:
    if isinstance(model, ReLUNetwork | DeepNetwork):
        return model
    libraries = {base.__module__.split(".")[0] for base in type(model).__mro__}
    if "torch" in libraries:
        return from_torch(model, input_shape)
    if "onnx" in libraries or type(model).__name__ == "ModelProto":
        return from_onnx(model)
    if "sklearn" in libraries:
        return from_sklearn(model)
    if isinstance(model, list | tuple) and all(
        isinstance(pair, list | tuple) and len(pair) == 2 for pair in model
    ):
        return mlp(model)
    raise InvalidInput(
        "not a network",
        got=type(model).__name__,
        expected="a ReLUNetwork, a DeepNetwork, a list of (W, b), a torch module or a fitted "
        "scikit-learn estimator",
        fix="Pass [(W1, b1), (W2, b2)] with W float64 [out, in] and b [out] or None; "
        "slth.read_network reads files.",
    )
