"""Twitter II: photographs of tweets in five partitions."""
