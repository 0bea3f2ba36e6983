"""What people want to know, computed from tracks: who crossed a line, who stayed where. No video, no network."""
