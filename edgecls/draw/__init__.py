"""Draw results, zones, lines and paths on pictures."""
