"""What `check` looks for, one kind of trap to a file."""
