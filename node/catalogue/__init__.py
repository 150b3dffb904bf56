"""What `privity explain` prints: each code that a message can end in, with its exit code."""
