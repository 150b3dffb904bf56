"""The commands that concern nodes: send, show, ps, logs."""
