"""From cameras and videos to labels. Read `pipeline.py` first: everything else here is a leaf of it."""
