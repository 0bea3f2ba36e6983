"""A long video in parts, which are tracked at once and joined."""
