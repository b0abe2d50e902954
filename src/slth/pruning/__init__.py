"""Pruning: which neurons, or which weights, of a network to keep; errors and proofs."""
