"""What is maximised, and where."""
