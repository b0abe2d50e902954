"""Draws the pictures of docs/theory, each from a computation: `python -m docs.theory.draw`."""
