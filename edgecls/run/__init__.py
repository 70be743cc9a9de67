"""Configured runs: from cameras and videos to labels and events. Start reading with `pipeline.py`."""
