"""Training of the compact network in PyTorch, from one packed file; for a GPU on a machine without PaddlePaddle."""
