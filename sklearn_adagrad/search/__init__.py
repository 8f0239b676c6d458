"""Searches: many candidates that learn each row at the same time."""
