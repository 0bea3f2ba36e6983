"""What becomes of tracked frames: text, annotated video."""
