"""From the outputs of a detector to boxes: one file for each family, and the table of them all."""
