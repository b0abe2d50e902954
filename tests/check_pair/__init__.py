"""The checker of written proofs about two networks."""
