"""Scenes drawn with the mouse, and what they count."""
