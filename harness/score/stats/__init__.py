"""Statistics of costs: intervals, pairwise tests, rankings and their stability."""
