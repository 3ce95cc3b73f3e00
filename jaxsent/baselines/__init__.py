"""What the papers compare with that is not a network: saliency maps and colour histograms."""
