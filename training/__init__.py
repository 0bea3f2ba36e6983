"""Training of the tracker's networks: data in, weights out."""
