"""Archives: many recordings in, tables of labels and events out, on all cores of one machine or on many machines."""
