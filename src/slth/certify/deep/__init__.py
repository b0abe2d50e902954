"""Two networks of any layers and outputs: how far apart they are over a domain."""

from slth.certify.deep.enclose import DeepComparison

__all__ = ["DeepComparison"]
