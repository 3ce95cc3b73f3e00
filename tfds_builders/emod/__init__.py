"""EMOd: photographs with fixations, valence, arousal, dominance and emotion scores."""
