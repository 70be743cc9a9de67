"""Text formats: text files, JSON, CSV cells, addresses, hiding of secrets, escaping of control characters."""
