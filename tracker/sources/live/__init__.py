"""Sources that arrive in real time, may be lost, and come back: cameras and streams."""
