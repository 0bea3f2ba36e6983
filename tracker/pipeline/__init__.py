"""Tracking of a sequence from its source to its sinks."""
