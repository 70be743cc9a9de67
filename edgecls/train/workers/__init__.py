"""Training on several workers: processes or machines that each take their part of every batch."""
