"""States of memories as plain arrays, files and folders."""
