"""Why there is no block, or why a transaction has not arrived: what is known, what follows, and the words."""
