"""A sequence tracked from end to end, stages overlapped, ended in order."""
