"""Tests of `edgecls.collect`."""
