"""Networks as runs describe them, with variables that no zero hides a mistake in."""

import json

import jax
import numpy as np
from flax.traverse_util import flatten_dict, unflatten_dict
from ml_collections import ConfigDict

import jaxsent
from jaxsent.run.folder import network


def described(config, name, backbone, **options) -> dict:
    """What a run of this network would say of itself."""
    config.model.name, config.model.backbone = name, backbone
    config.model.update(options)
    return {
        "jaxsent": "0",
        "model": json.loads(config.model.to_json()),
        "input": {"mean": [120.0] * 3, "std": [60.0] * 3, "interpolation": "bilinear"},
        "labels": {
            "classes": list(jaxsent.emotions.MIKELS),
            "emotions": [] if name == "classifier" else list(jaxsent.emotions.MIKELS),
        },
        "data": {"name": "photographs", "image_size": 64},
        "eval": {"resize": 64},
    }


def random_variables(metadata) -> dict:
    """As after training: no mean of batch norm is 0, no bias either."""
    images = np.zeros((1, 64, 64, 3), np.float32)
    shapes = jax.eval_shape(network(ConfigDict(metadata["model"])).init, jax.random.key(0), images)
    rng = np.random.default_rng(0)
    arrays = {}
    for path, leaf in flatten_dict(shapes).items():
        fan = max(int(np.prod(leaf.shape[:-1])), 1)
        drawn = rng.normal(0, (2 / fan) ** 0.5 if len(leaf.shape) > 1 else 0.1, leaf.shape)
        values = np.abs(drawn) + 0.5 if path[-1] in ("var", "scale") else drawn
        # The last batch norm of a bottleneck is small in trained networks; at full size a hundred
        # layers raise the maps, whose products are coupled, until float32 rounding shows in logits.
        tame = 0.1 if path[-2:] == ("bn3", "scale") else 1.0
        arrays[path] = (tame * values).astype("f4")
    return {"batch_stats": {}} | unflatten_dict(arrays)
