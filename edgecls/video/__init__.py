"""Containers and codecs: packets, remuxing, completeness of files; FFmpeg through PyAV."""
