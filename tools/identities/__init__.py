"""Measuring who is known again: after an absence, in another camera, from a picture."""
