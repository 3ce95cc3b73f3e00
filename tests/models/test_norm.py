"""Batch norm against Flax's; running statistics against their definition: torch's, unbiased."""

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType, NamedSharding, PartitionSpec

from jaxsent.models import norm

RNG = np.random.default_rng(0)
X = RNG.normal(2, 3, (4, 2, 3, 5)).astype(np.float32)
SHORTCUT = RNG.normal(0, 2, X.shape).astype(np.float32)
ACTIVATIONS = {None: lambda y: y, "relu": nn.relu, "relu6": nn.relu6}


def variables_of(x):
    """Of both modules, which have the same names."""
    width = x.shape[-1]
    params = {"scale": np.linspace(0.5, 3, width), "bias": np.linspace(-1, 1, width)}
    stats = {"mean": np.linspace(1, 2, width), "var": np.linspace(4, 9, width)}
    return jax.tree.map(jnp.float32, {"params": params, "batch_stats": stats})


def ours(variables, x, shortcut, activation, train=True):
    module = norm.BatchNorm(activation, momentum=0.9, epsilon=1e-5)
    return module.apply(variables, x, train, shortcut, mutable=["batch_stats"])


def flaxs(variables, x, shortcut, activation, train=True):
    module = nn.BatchNorm(not train, momentum=0.9, epsilon=1e-5, dtype=jnp.float32)
    with jax.numpy_dtype_promotion("standard"):  # Flax's promotes bfloat16 implicitly
        y, new = module.apply(variables, x, mutable=["batch_stats"])
    y = y if shortcut is None else y + shortcut.astype(jnp.float32)
    return ACTIVATIONS[activation](y).astype(x.dtype), new


def value_and_gradients(function, variables, x, shortcut, activation):
    def loss(params, x, shortcut):
        y, new = function(variables | {"params": params}, x, shortcut, activation)
        weights = jnp.sin(jnp.arange(y.size, dtype=jnp.float32)).reshape(y.shape)
        return (y.astype(jnp.float32) * weights).sum(), (y, new)

    return jax.grad(loss, argnums=(0, 1, 2) if shortcut is not None else (0, 1), has_aux=True)(
        variables["params"], x, shortcut
    )


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("summed", [False, True])
def test_values_and_gradients_are_flaxs(summed, activation, dtype):
    x, shortcut = jnp.asarray(X, dtype), jnp.asarray(SHORTCUT, dtype) if summed else None
    variables = variables_of(X)
    gradients, (y, new) = value_and_gradients(ours, variables, x, shortcut, activation)
    expected, (expected_y, plain) = value_and_gradients(flaxs, variables, x, shortcut, activation)
    assert y.dtype == gradients[1].dtype == dtype
    near = 1e-4 if dtype == jnp.float32 else 0.02
    as_numpy = lambda tree: jax.tree.map(lambda a: np.asarray(a, np.float32), tree)  # noqa: E731
    chex.assert_trees_all_close(as_numpy(y), as_numpy(expected_y), rtol=near, atol=near)
    chex.assert_trees_all_close(as_numpy(gradients), as_numpy(expected), rtol=near, atol=near)
    chex.assert_trees_all_close(new["batch_stats"]["mean"], plain["batch_stats"]["mean"], rtol=1e-5)
    # Flax's running variance is of the biased one.
    old, count = variables["batch_stats"]["var"], X[..., 0].size
    moved = (plain["batch_stats"]["var"] - 0.9 * old) * count / (count - 1)
    chex.assert_trees_all_close(new["batch_stats"]["var"], 0.9 * old + moved, rtol=1e-4)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_in_use_it_is_flaxs_and_the_running_statistics_stay(activation):
    variables = variables_of(X)
    y, new = ours(variables, X, SHORTCUT, activation, train=False)
    expected, _ = flaxs(variables, X, SHORTCUT, activation, train=False)
    chex.assert_trees_all_close(y, expected, rtol=1e-5, atol=1e-5)
    chex.assert_trees_all_equal(new["batch_stats"], variables["batch_stats"])


def test_a_batch_on_four_devices_has_the_statistics_of_the_whole():
    mesh = jax.make_mesh((4,), ("data",), axis_types=(AxisType.Auto,))
    split = NamedSharding(mesh, PartitionSpec("data"))
    step = jax.jit(lambda x, s: value_and_gradients(ours, variables_of(X), x, s, "relu"))
    parts = step(jax.device_put(X, split), jax.device_put(SHORTCUT, split))
    chex.assert_trees_all_close(parts, step(X, SHORTCUT), rtol=1e-4, atol=1e-4)


def test_running_variance_is_unbiased():
    module = norm.BatchNorm(momentum=0.9, epsilon=1e-5)
    variables = module.init(jax.random.key(0), X, True)
    np.testing.assert_array_equal(variables["batch_stats"]["var"], 1)  # untouched by init
    y, new = module.apply(variables, X, True, mutable=["batch_stats"])
    flat = X.reshape(-1, 5).astype(np.float64)
    expected = 0.9 + 0.1 * flat.var(0, ddof=1)
    np.testing.assert_allclose(new["batch_stats"]["var"], expected, rtol=1e-5)
    np.testing.assert_allclose(new["batch_stats"]["mean"], 0.1 * flat.mean(0), rtol=1e-5)
    # The batch itself is normalised by the biased one.
    scaled = (flat - flat.mean(0)) / np.sqrt(flat.var(0) + 1e-5)
    np.testing.assert_allclose(y.reshape(-1, 5), scaled, rtol=1e-4, atol=1e-5)


def test_one_value_a_channel_has_a_variance_of_zero():
    assert norm.unbiased(np.float32(0), X[:1, :1, :1]) == 0


def test_the_input_and_a_blocks_result_are_all_that_is_kept():
    x, shortcut = (jnp.zeros((8, 16, 16, 32)) for _ in range(2))
    variables = variables_of(x)

    def kept(function):
        """How many arrays of the size of `x` the gradient reads."""
        _, pullback = jax.vjp(lambda x, s: function(variables, x, s, "relu")[0], x, shortcut)
        return sum(a.size == x.size for a in jax.tree.leaves(pullback))

    assert kept(ours) == 2 < kept(flaxs)
