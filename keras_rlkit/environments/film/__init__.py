"""Environments to film, beside those that are played in."""
