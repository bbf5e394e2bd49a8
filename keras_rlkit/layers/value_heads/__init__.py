"""Heads that value actions: by numbers, or by distributions of returns."""
