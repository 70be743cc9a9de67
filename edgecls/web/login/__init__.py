"""Who may see and change the page."""
