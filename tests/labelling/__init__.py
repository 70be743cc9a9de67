"""Tests of `edgecls.labelling`."""
