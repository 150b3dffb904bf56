"""A run as one HTML file: no network, no script, every text escaped. Its numbers are the commands' own."""
