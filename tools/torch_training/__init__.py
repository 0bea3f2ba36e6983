"""Training in PyTorch on another machine: a packed set for it, and the run there."""
