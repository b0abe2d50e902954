"""Branch-and-bound over simplicial cones."""
