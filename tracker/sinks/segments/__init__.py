"""Long runs in segments: files that begin anew by the clock, or where the picture changes its size."""
