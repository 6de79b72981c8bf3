"""What a trained adapter is worth, and what its directions say: scores, overlaps, pictures."""
