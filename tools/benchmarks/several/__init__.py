"""Measurements of several sources at once."""
