"""Where a trained network saw a class: CAM of a plain classifier, Grad-CAM of any network.

Zhou et al., "Learning Deep Features for Discriminative Localization", CVPR 2016; Selvaraju et al.,
"Grad-CAM: Visual Explanations from Deep Networks via Gradient-based Localization", ICCV 2017.
"""

import jax
import jax.numpy as jnp

from jaxsent.errors import UserError
from jaxsent.models import pooling
from jaxsent.models.backbone import Array
from jaxsent.models.classifier import Classifier


def cam(model, variables, images: Array) -> Array:
    """Class activation maps of a trained `classifier`: (B, H, W, 3) -> (B, h, w, K) float32.

    Args:
      model: the network, on a backbone that ends in the average of its last map.
      variables: {"params", "batch_stats"}.
      images: normalised.

    Raises:
      UserError: there are layers between the average and the classes.
    """
    averages = isinstance(model, Classifier) and model.holistic == "pool"
    if not averages or model.backbone.FULLY_CONNECTED:
        raise UserError(
            "CAM needs a classifier that reads the average of the last map: model.name=classifier "
            "with model.holistic=pool on a ResNet or EfficientNet. For others train "
            "model.name=cam, or take Grad-CAM."
        )
    _, taps = model.apply(variables, images, False, True, method="tapped")
    kernel = variables["params"]["classifier"]["kernel"]
    return pooling.activation_maps(list(taps.values())[-1].astype(jnp.float32), kernel)


def grad_cam(model, variables, images: Array, classes: Array, tap: str | None = None) -> Array:
    """ReLU(Σ_n α_n A_n) with α_n = mean_xy ∂y_c/∂A_n (Grad-CAM, Eq. 1–2): (B, h, w) float32.

    Args:
      model: any network with class_logits y.
      variables: {"params", "batch_stats"}.
      images: (B, H, W, 3) normalised.
      classes: (B,) the class c of each image.
      tap: name of the map A (B, h, w, n) in the backbone; None for the last that is read.

    Raises:
      ValueError: the backbone has no such tap, or the network ends before it.
    """
    # A frozen backbone lets no gradient through; in evaluation nothing else hangs on it.
    model = model.clone(freeze="none")
    _, captured = model.apply(
        variables, images,
        capture_intermediates=lambda _, method: method == "features", mutable=["intermediates"],
    )  # fmt: skip
    taps = captured["intermediates"]["backbone"]["features"][0]
    tap = tap or list(taps)[-1]
    if tap not in taps:
        raise ValueError(f"tap={tap!r}: this network reads {', '.join(taps)}.")

    def score(change):
        perturbed = variables | {"perturbations": {"backbone": {tap: change}}}
        logits = model.apply(perturbed, images)["class_logits"]
        # An image's logits hang on that image alone: one gradient serves the batch.
        return jnp.take_along_axis(logits, classes[:, None], axis=-1).sum()

    activations = taps[tap].astype(jnp.float32)
    weights = jax.grad(score)(jnp.zeros_like(activations)).mean((1, 2))
    return jax.nn.relu(jnp.einsum("bhwn,bn->bhw", activations, weights))


def _cam_of(model, variables, images, classes) -> Array:
    return pooling.map_of(classes, cam(model, variables, images))


MAPS = {"cam": _cam_of, "grad_cam": grad_cam}
"""(model, variables, images, classes (B,)) -> (B, h, w), by name."""
