"""Trained networks: fewer hidden units, with a certified error."""

from slth.pruning.trained.compress import Compression, compress

__all__ = ["Compression", "compress"]
