"""Several cameras in one process, with one model."""
