"""Multi-object tracking of pedestrians with JDE: frames in, identities out."""
