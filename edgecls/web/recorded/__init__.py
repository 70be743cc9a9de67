"""Recordings as cameras: played by the page at their own pace, with what the run has found in them."""
