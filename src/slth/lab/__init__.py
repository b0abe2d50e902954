"""Experiments: draws, minimal widths, the gap."""
