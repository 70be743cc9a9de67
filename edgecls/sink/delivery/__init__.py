"""Delivery to slow or unreachable receivers: spools on disk, background threads, counted losses."""
