"""Lower bounds for every subset by measures that are symmetric about a direction
(docs/neurons.md)."""

from slth.pruning.neurons.zonal.screening import zonal_bound

__all__ = ["zonal_bound"]
