"""Flickr CC: photographs whose polarity three workers judged."""
