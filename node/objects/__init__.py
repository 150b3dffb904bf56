"""Private objects: what their writes do, which of them a party knows, and the rows that say so on disk."""
