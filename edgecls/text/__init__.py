"""Text formats: JSON, CSV cells, addresses, hiding of secrets, escaping of control characters."""
