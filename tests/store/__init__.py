"""Tests of `edgecls.store`."""
