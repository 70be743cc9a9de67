"""Models in use: the file and its card, the classifier, execution providers and confidence."""
