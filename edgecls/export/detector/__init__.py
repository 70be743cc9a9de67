"""Convert a detector that was trained with another tool to one that edgecls can use."""
