"""The commands that open a page."""
