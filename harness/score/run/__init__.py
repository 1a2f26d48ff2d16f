"""The score of one run: scored snapshot, seconds, joules, and the cache of run scores."""
