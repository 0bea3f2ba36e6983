"""Finished tracks made better, once all of them are known."""
