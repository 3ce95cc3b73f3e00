"""Instagram: photographs whose polarity three workers judged."""
