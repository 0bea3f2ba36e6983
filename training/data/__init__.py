"""Training data: readers, augmentation and batches."""
