"""Changes of cameras.toml by the page: its text, its file, and a test on the last minutes."""
