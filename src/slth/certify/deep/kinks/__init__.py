"""Sums of kinks on a box, bounded by splitting the signs of kinks: one hidden layer, many inputs.

`sums` states the problem and its dual, `descent` minimises the dual in floats, `search` splits.
"""
