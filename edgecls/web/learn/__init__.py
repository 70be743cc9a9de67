"""Models made of the labels: learned beside the run, compared, tried as a shadow, put in place and taken back."""
