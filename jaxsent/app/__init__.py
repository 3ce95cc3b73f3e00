"""The page to drop photographs on, and its HTTP endpoint: `jaxsent serve MODEL`."""
