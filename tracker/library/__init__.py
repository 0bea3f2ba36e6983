"""Many videos: all of them tracked in one go."""
