"""Floating-point arithmetic whose errors are known: pairs of floats, and rounding outward."""
