"""Where to look in a frame: zones, motion, geometry."""
