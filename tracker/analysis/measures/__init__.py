"""The measures, one a file: each takes a portion of frames at a time and keeps no more than it needs."""
