"""One replica of the core, driven line by line from a script: what `privity core-shell` does."""
