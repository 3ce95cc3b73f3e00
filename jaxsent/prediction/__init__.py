"""What a trained network says of photographs."""

from jaxsent.prediction.saliency import pysaliency_model

__all__ = ["pysaliency_model"]
