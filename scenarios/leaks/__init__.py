"""The leak scan: every secret of a run, looked for in every form wherever it may not be."""
