"""What measures work on many videos."""
