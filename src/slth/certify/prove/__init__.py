"""Proofs of error bounds that the independent checker follows."""
