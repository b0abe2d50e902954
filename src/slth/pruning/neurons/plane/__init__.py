"""Neuron tickets in the plane: walks round the circle, from breakpoint to breakpoint.

On the circle the residual of a mask is a sinusoid between breakpoints, so a mask is a walk through
the states (value, slope), one step a unit. Bands of states that stay within eps bound every mask,
listing the walks decides, and joining halves of walks searches. docs/neurons-circle.md has the
mathematics.
"""
