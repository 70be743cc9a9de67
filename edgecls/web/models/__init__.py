"""The models that a run uses: their cards, self-tests and reports, and the drift of its cameras."""
