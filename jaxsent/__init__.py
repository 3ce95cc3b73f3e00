"""jaxsent: which emotion a photograph evokes, and which of its regions evoke it."""

__version__ = "0.1.0"
