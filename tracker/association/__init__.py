"""Detections to identities: the associations by name, and what they are made of."""
