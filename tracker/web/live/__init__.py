"""What the page shows of a run while it goes on."""
