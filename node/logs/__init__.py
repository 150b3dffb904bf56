"""The event log: what may stand in it, how it is written, merged, filtered and shown."""
