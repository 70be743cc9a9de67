"""Live pictures with what is found in them, and the state of each camera."""
