"""Results as lines of JSON, recordings of them, and summaries."""
