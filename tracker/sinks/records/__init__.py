"""What a run tells beside its MOT text: what made it, and the times of its frames."""
