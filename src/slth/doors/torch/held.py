"""What was read of a module held against the module's own values."""

from __future__ import annotations

import random
from contextlib import ExitStack
from typing import Any

import numpy as np

from slth.deep import DeepNetwork
from slth.doors.agreement import agrees
from slth.doors.graph_value import unlike
from slth.doors.torch.plain import faithful_copy
from slth.errors import InvalidInput

# Random points of each size; fewer of large inputs, so that all of them are at most this many
# numbers.
_COMPARED, _MOST_NUMBERS = 16, 1 << 22
# What is done only to large or small values shows at points of other sizes.
_SIZES = (1.0, 1e-3, 1e3, 1e6)


def require_same_values(
    torch: Any, module: Any, traced: Any, network: DeepNetwork, shape: tuple[int, ...]
) -> None:
    """The module gives the same values at every call, bit by bit the values of its trace, in its
    own precision and with inputs of double precision; and these are the network's.

    Constants stay in the module's own precision in both: `self.W * 0.1` of float16 numbers is
    rounded before it meets an input. What meets a double is widened, which rounds nothing.

    Args:
        traced: the torch.fx.GraphModule that the network was read from.
        shape: of one input.

    Raises:
        InvalidInput: random numbers, state that changes between calls, a forward that fails or
            does something that its trace does not show.
    """
    rng = np.random.default_rng(0)
    count = max(1, min(_COMPARED, _MOST_NUMBERS // max(1, network.d)))
    tensors = [*module.parameters(), *module.buffers()]
    kinds = {tensor.dtype for tensor in tensors if tensor.is_floating_point()}
    kind = min(kinds, key=lambda dtype: dtype.itemsize, default=torch.float64)
    own = faithful_copy(torch, module)
    plain, widened = _runs(torch)
    for dtype, reach in (*((torch.float64, size) for size in _SIZES), (kind, 1.0)):
        points = reach * rng.uniform(-1.0, 1.0, (count, *shape))
        given = torch.from_numpy(points).to(dtype)
        drawn = _generators()
        run = plain if dtype is kind else widened
        values, again, shown = (run(part, given) for part in (own, own, traced))
        name = f"module {type(module).__name__}"
        if not _same(torch, values, again) or drawn != _generators():
            raise unlike(
                name,
                "other values at a second call, or random numbers",
                "a forward that depends on its input alone",
            )
        if not _same(torch, values, shown):
            raise unlike(
                name,
                "a forward that computes something else than its trace shows",
                "one that does the same to all inputs",
            )
        if dtype is torch.float64:
            _require_values(name, network, points, values.double().numpy().reshape(count, -1))


def _require_values(name: str, network: DeepNetwork, points: Any, values: Any) -> None:
    if not np.isfinite(values).all():
        raise unlike(name, "values that overflow", "finite ones")
    if not agrees(network, points.reshape(len(points), -1), values):
        raise InvalidInput(
            "module computes something else than its layers say",
            got=f"values that differ from {network!r}",
            expected="a module that is what its trace shows",
            fix="Write the network down as a slth.DeepNetwork, or export it to ONNX.",
        )


def _generators() -> tuple[Any, ...]:
    """Where Python's and numpy's generators of random numbers stand."""
    name, keys, *rest = np.random.get_state(legacy=True)  # noqa: NPY002
    return random.getstate(), name, keys.tobytes(), *rest  # type: ignore[union-attr]


def _same(torch: Any, one: Any, other: Any) -> bool:
    """Equal bit by bit, but for the signs of 0 and what stands in a NaN."""
    if one.shape != other.shape or one.dtype != other.dtype:
        return False
    return bool(((one == other) | (one.isnan() & other.isnan())).all())


def _runs(torch: Any) -> tuple[Any, Any]:
    """How modules are run here, without random operators: as they stand, and with constants widened
    where they meet a double."""
    from torch.overrides import TorchFunctionMode
    from torch.utils._python_dispatch import TorchDispatchMode
    from torch.utils._pytree import tree_flatten, tree_map

    def is_narrow(value: Any) -> bool:
        real = isinstance(value, torch.Tensor) and value.is_floating_point()
        return real and value.dtype != torch.float64

    class Widening(TorchFunctionMode):
        def __torch_function__(
            self, func: Any, types: Any, args: Any = (), kwargs: Any = None
        ) -> Any:
            named = kwargs or {}
            given, _ = tree_flatten((args, named))
            kinds = {value.dtype for value in given if isinstance(value, torch.Tensor)}
            if torch.float64 in kinds and any(map(is_narrow, given)):
                args, named = tree_map(
                    lambda value: value.double() if is_narrow(value) else value, (args, named)
                )
            return func(*args, **named)

    class Determined(TorchDispatchMode):
        def __torch_dispatch__(
            self, func: Any, types: Any, args: Any = (), kwargs: Any = None
        ) -> Any:
            if torch.Tag.nondeterministic_seeded in func.tags:
                raise unlike(f"torch operator {func}", "random numbers", "a forward without them")
            return func(*args, **(kwargs or {}))

    def run(module: Any, given: Any, *modes: Any) -> Any:
        try:
            with torch.no_grad(), ExitStack() as stack:
                for mode in (Determined(), *modes):
                    stack.enter_context(mode)
                return module(given).detach()
        except InvalidInput:
            raise
        except Exception as error:
            # The module's own code may raise anything.
            text = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
            raise unlike(
                f"module {type(module).__name__}",
                f"a forward that fails on inputs of shape {tuple(given.shape)} ({text})",
                "rows of inputs",
            ) from error

    return run, lambda module, given: run(module, given, Widening())
