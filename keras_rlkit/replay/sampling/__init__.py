"""Which of the stored transitions make a batch."""
