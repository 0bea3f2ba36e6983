"""What a run does to keep up with a source that does not wait."""
