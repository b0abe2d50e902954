"""Branch-and-bound over the signs of convex units, bounded by a lifted semidefinite dual."""
