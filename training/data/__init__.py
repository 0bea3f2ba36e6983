"""Training material, and the batches made of it."""
