"""The past: events with their clips and pictures, and corrections of them."""
