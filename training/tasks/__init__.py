"""What a network learns: targets and losses."""
