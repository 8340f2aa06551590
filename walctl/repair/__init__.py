"""Plans, proofs, and carrying them out: the only room that changes a member's directory."""
