"""Suprema to a few units of roundoff, for two and three inputs."""
