"""Benchmarks: every table has its reference in the same run, and status and gap beside time."""
