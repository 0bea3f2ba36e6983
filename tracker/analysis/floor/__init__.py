"""The floor: from the picture to metres, guessed or measured, and its plan."""
