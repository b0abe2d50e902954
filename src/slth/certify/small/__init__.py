"""Whole searches in compiled code, for thousands of small differences."""
