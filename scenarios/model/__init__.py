"""The scenario file: its model, reading it with good errors, what it predicts, the plan drawn from it."""
