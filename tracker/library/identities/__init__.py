"""The same person in several cameras, and in a picture."""
