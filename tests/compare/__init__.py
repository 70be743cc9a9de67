"""Tests of `edgecls.compare`."""
