"""SALICON: photographs of MS COCO with where people moved the mouse to see sharply."""
