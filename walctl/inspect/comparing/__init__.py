"""The parts of compare: members held against each other, and what follows for each."""
