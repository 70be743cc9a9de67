"""The machine that a run uses: what works on it, how fast it is, and what the run takes of it."""
