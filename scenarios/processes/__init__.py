"""The processes of a run: nodes, broker, recorder; started, watched, and never left behind."""
