"""What the papers compare with that is not a network: saliency maps, and features with an SVM."""
