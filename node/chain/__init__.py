"""What a node keeps for good: blocks, public state, journal, indexes; and coming back from the disk alone."""
