"""Trained networks: fewer hidden units or weights, with a certified error."""

from slth.pruning.trained.compress import compress
from slth.pruning.trained.compression import Compression

__all__ = ["Compression", "compress"]
