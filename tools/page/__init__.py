"""Measurements of the page."""
