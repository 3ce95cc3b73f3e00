"""The stacked GCN against matrix products in NumPy."""

import chex
import jax
import numpy as np
import pytest
from flax.traverse_util import flatten_dict

from jaxsent import emotions
from jaxsent.models.gcn import StackedGCN, read_out

RNG = np.random.default_rng(0)
NODES = RNG.normal(size=(2, 8, 6)).astype(np.float32)


def adjacency(edges="cross"):
    return emotions.normalize_adjacency(emotions.sentiment_graph(edges))


def test_layers_by_matrix_products():
    gcn = StackedGCN(adjacency().tolist(), (5, 4))
    params = gcn.init(jax.random.key(0), NODES)
    h = NODES
    for layer in ("layer0", "layer1"):
        w = params["params"][layer]
        h = np.maximum(adjacency() @ h @ np.asarray(w["kernel"]) + np.asarray(w["bias"]), 0)
    chex.assert_trees_all_close(gcn.apply(params, NODES), h, rtol=1e-4, atol=1e-5)
    shapes = {"/".join(k): v.shape for k, v in flatten_dict(params["params"]).items()}
    assert shapes["layer1/kernel"] == (5, 4)


def test_read_outs():
    chex.assert_trees_all_close(read_out(NODES, "mean"), NODES.mean(1), rtol=1e-5)
    chex.assert_trees_all_close(read_out(NODES, "max"), NODES.max(1))
    flat = read_out(NODES, "flatten")
    chex.assert_trees_all_close(flat[:, 6:12], NODES[:, 1])  # node-major


def test_a_mean_after_a_linear_layer_cannot_see_a_regular_graph():
    linear = [np.einsum("cd,bdn->bcn", adjacency(e), NODES) for e in ("cross", "none")]
    assert np.abs(linear[0] - linear[1]).max() > 0.05
    np.testing.assert_allclose(linear[0].mean(1), linear[1].mean(1), atol=1e-6)


@pytest.mark.parametrize("edges", ["same", "none"])
def test_flattened_nodes_see_the_graph(edges):
    params = StackedGCN(adjacency().tolist(), (5,)).init(jax.random.key(0), NODES)
    outputs = StackedGCN(adjacency().tolist(), (5,)).apply(params, NODES)
    other = StackedGCN(adjacency(edges).tolist(), (5,)).apply(params, NODES)
    assert np.linalg.norm(outputs - other) > 0.02 * np.linalg.norm(outputs)
