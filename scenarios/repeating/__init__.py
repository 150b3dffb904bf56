"""Virtual runs repeated: by seeds, again as they were, and in child processes."""
