"""Labels for what the run collects, and models made of them."""
