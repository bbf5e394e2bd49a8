"""Environments a second time: their state copied, restored, rebuilt."""
