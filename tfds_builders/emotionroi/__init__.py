"""EmotionROI: photographs of six emotions with maps of the regions that evoke them."""
