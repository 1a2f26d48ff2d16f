"""Meters read, joules told, and how far to trust them."""
