"""Measurements of whole uses: several cameras at once, and the first minutes of somebody new."""
