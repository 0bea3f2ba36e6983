"""Targets and losses of the networks."""
