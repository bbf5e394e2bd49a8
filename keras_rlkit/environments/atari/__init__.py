"""Atari games from pixels."""
