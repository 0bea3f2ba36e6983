"""Tracks in the formats of labelling tools and data sets."""
