"""From a scenario that breaks something to the smallest one that still breaks it."""
