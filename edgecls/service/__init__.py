"""Run edgecls as a service of a machine: its systemd unit, what it needs, and questions to a run that serves its state."""
