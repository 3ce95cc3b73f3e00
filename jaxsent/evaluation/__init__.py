"""A split through a network: numbers, maps and examples."""
