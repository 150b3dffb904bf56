"""Contents under a seal: what is agreed on about one, what its openers ask and release, and how it opens."""
