"""FI: photographs of Flickr and Instagram in Mikels' eight classes."""
