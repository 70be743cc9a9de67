"""Turn the results of frames into events."""
