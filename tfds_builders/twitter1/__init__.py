"""Twitter I: photographs of tweets with the polarity on which five workers agreed."""
