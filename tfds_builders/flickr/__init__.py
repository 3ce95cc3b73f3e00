"""Flickr: half a million photographs labelled by adjective-noun pairs."""
