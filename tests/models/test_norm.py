"""Running statistics against their definition: torch's, with the unbiased variance."""

import flax.linen as nn
import jax
import numpy as np
import pytest

from jaxsent.models import norm

X = np.random.default_rng(0).normal(2, 3, (4, 2, 3, 5)).astype(np.float32)


def trained(module, *args, **options):
    variables = jax.jit(lambda x: module.init(jax.random.key(0), x, *args, **options))(X)
    y, new = module.apply(variables, X, *args, **options, mutable=["batch_stats"])
    return variables, np.asarray(y), new["batch_stats"]


@pytest.mark.parametrize("kind", ["resnet", "efficientnet"])
def test_running_variance_is_unbiased(kind):
    if kind == "resnet":
        module, momentum, epsilon = norm.UnbiasedBatchNorm(momentum=0.9), 0.9, 1e-5
        variables, y, new = trained(module, use_running_average=False)
    else:
        module, momentum, epsilon = norm.BatchNorm(relu6=False), 0.99, 1e-3
        variables, y, new = trained(module, True)
    np.testing.assert_array_equal(variables["batch_stats"]["var"], 1)  # untouched by init
    flat = X.reshape(-1, 5).astype(np.float64)
    expected = momentum + (1 - momentum) * flat.var(0, ddof=1)
    np.testing.assert_allclose(new["var"], expected, rtol=1e-5)
    np.testing.assert_allclose(new["mean"], (1 - momentum) * flat.mean(0), rtol=1e-5)
    # The batch itself is normalised by the biased one.
    scaled = (flat - flat.mean(0)) / np.sqrt(flat.var(0) + epsilon)
    np.testing.assert_allclose(y.reshape(-1, 5), scaled, rtol=1e-4, atol=1e-5)


def test_in_use_the_running_statistics_stay():
    module = norm.UnbiasedBatchNorm(momentum=0.9)
    variables, _, kept = trained(module, use_running_average=True)
    np.testing.assert_array_equal(kept["var"], 1)
    plain = nn.BatchNorm(use_running_average=True).apply(variables, X)
    np.testing.assert_array_equal(module.apply(variables, X, use_running_average=True), plain)


def test_one_value_a_channel_has_a_variance_of_zero():
    assert norm.unbiased(np.float32(0), X[:1, :1, :1]) == 0
