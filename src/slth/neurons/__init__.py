"""Neuron pruning: keep or drop whole hidden units, nothing retrained."""
