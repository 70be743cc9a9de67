"""Recordings: clips, snapshots, annotated videos, and limits of their disk space."""
