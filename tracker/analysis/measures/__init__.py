"""The measures, one a file: each takes the movement of a portion of frames at a time, and keeps no more than it needs."""
