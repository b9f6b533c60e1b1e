"""A bill run: what charges and usage come to, line by line."""
