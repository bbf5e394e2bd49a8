"""One interface to every gymnasium environment, single or vector."""
