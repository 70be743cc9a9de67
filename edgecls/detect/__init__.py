"""Find objects with a detector of another maker: its input, its outputs, its boxes as regions."""
