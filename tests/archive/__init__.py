"""Tests of archives: many recordings in, tables out."""
