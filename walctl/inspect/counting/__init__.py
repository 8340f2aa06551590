"""How stats counts: a fold of each segment, what it measures, and the figures that come of it."""
