"""OASIS: photographs rated for valence and arousal."""
