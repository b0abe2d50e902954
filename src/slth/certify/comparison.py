"""What is compared: two networks of the same inputs and outputs, of either kind."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from slth.certify.deep import DeepComparison
from slth.certify.homogenised import Homogenised, homogenised
from slth.certify.prepare import compile_for
from slth.certify.problem.chart import Chart
from slth.deep import DeepNetwork
from slth.domain import Domain
from slth.doors import as_network
from slth.errors import InvalidInput
from slth.network import ReLUNetwork

Network = ReLUNetwork | DeepNetwork


@dataclass(frozen=True)
class Comparison:
    """net and target, of the same numbers of inputs and outputs; without last softmax or sigmoid,
    which are the same on both sides."""

    net: Network
    target: Network

    @classmethod
    def of(cls, net: object, target: object) -> Comparison:
        """Two models as networks. Raises InvalidInput if they cannot be compared."""
        first, second = as_network(net), as_network(target)
        for name, one, other in (
            ("input", first.d, second.d),
            ("output", _outputs(first), _outputs(second)),
        ):
            if one != other:
                raise InvalidInput(
                    "target incompatible with net",
                    got=f"{one} and {other} {name}s",
                    expected=f"the same number of {name}s",
                    fix="Compare networks on the same inputs and outputs.",
                )
        ends = _link(first), _link(second)
        if ends[0] != ends[1]:
            raise InvalidInput(
                "target incompatible with net",
                got=f"{ends[0] or 'nothing'} after the last layer of net, "
                f"{ends[1] or 'nothing'} after that of target",
                expected="the same last softmax or sigmoid on both, whose arguments are compared",
                fix="Compare net.before_last() with target.before_last().",
            )
        return cls(_before_last(first), _before_last(second))

    @property
    def d(self) -> int:
        """Number of inputs."""
        return self.net.d

    @cached_property
    def outputs(self) -> tuple[tuple[Homogenised, Homogenised], ...] | None:
        """Both networks output by output, for the engines of one hidden layer; None where one has
        more layers, other activations than ReLUs, or weights that are known up to rounding."""
        net, target = homogenised(self.net), homogenised(self.target)
        if net is None or target is None:
            return None
        return tuple(zip(net, target, strict=True))

    def on(self, domain: Domain) -> DeepComparison:
        """The comparison for the engine of any layers."""
        return DeepComparison(DeepNetwork.of(self.net), DeepNetwork.of(self.target), domain)

    def compile(self, domain: Domain) -> None:
        """Compile what the engines need, so that no time limit pays for it."""
        chart = Chart.of(domain, self.d)
        for net, target in self.outputs or ():
            round_zero = chart.shape == "ball" and not chart.center.any()
            plain = round_zero and not (net.biased or target.biased)
            units = net.network.width + target.network.width
            compile_for(self.d, [units], None if plain else chart)


def _outputs(network: Network) -> int:
    return 1 if isinstance(network, ReLUNetwork) else network.outputs


def _link(network: Network) -> str | None:
    """The last softmax or sigmoid."""
    if isinstance(network, ReLUNetwork) or network.last == "relu":
        return None
    return network.last


def _before_last(network: Network) -> Network:
    return network if isinstance(network, ReLUNetwork) else network.before_last()
