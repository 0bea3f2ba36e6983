"""What of a run becomes answers to a scene: tables, pictures and the report."""
