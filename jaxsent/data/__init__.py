"""From prepared records and photographs to arrays."""
