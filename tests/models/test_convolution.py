"""Convolution against XLA's own and NumPy's loops, and what other platforms compile."""

from functools import partial

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from jax.sharding import AxisType, NamedSharding, PartitionSpec

from jaxsent.models import convolution as module
from jaxsent.models.convolution import Conv, convolution

# kernel, stride, padding, size: those of VGG, AlexNet and ResNet on odd sizes, and others.
CASES = [
    (3, 1, 1, (7, 6)), (5, 4, 2, (15, 11)), (5, 1, 2, (6, 5)), (4, 2, 3, (15, 14)),
    (3, 2, 1, (8, 9)), (1, 1, 0, (5, 3)), (1, 2, 0, (8, 7)), (3, 3, 0, (13, 8)), (2, 1, 1, (4, 4)),
    (1, 3, 1, (6, 5)),
]  # fmt: skip


@pytest.fixture(autouse=True)
def one_device(monkeypatch):
    """The tests run on four, where XLA's own convolution is used."""
    monkeypatch.setattr(module, "_alone", lambda: True)


def plain(x, kernel, stride, padding):
    return lax.conv_general_dilated(
        x, kernel, (stride, stride), [(padding, padding)] * 2,
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
    )  # fmt: skip


def arrays(*shapes, dtype=jnp.float32):
    rng = np.random.default_rng(0)
    return [jnp.asarray(rng.normal(size=s), dtype) for s in shapes]


def value_and_gradients(function, x, kernel, **options):
    y, pullback = jax.vjp(partial(function, **options), x, kernel)
    (dy,) = arrays(y.shape, dtype=y.dtype)
    return y, *pullback(dy)


@pytest.mark.parametrize(("k", "stride", "padding", "size"), CASES)
def test_values_and_gradients_are_xlas(k, stride, padding, size, monkeypatch):
    width = (size[1] + 2 * padding - k) // stride + 1
    monkeypatch.setattr(module, "_PIXELS", 2 * 2 * width)  # two rows at a time
    x, kernel = arrays((2, *size, 4), (k, k, 4, 5))

    def made(function):
        f = partial(value_and_gradients, function, stride=stride, padding=padding)
        return jax.jit(f)(x, kernel)

    chex.assert_trees_all_close(made(convolution), made(plain), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("k", "stride", "padding", "size"), CASES)
def test_the_gradient_by_the_input_of_few_pixels_is_xlas(k, stride, padding, size):
    x, kernel = arrays((2, *size, 4), (k, k, 4, 5))
    y, pullback = jax.vjp(partial(plain, stride=stride, padding=padding), x, kernel)
    (dy,) = arrays(y.shape)
    gradient = module.input_gradient(dy, kernel, x.shape, stride, padding)
    chex.assert_trees_all_close(gradient, pullback(dy)[0], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("side", "convolutions"), [(3, 1), (4, 2)])
def test_few_pixels_and_many_channels_need_no_second_convolution(side, convolutions):
    """9 pixels and 8 channels, and 16; the gradient by the kernel needs none in either case."""
    x, kernel = arrays((1, side, side, 8), (3, 3, 8, 2))
    step = jax.jit(partial(value_and_gradients, convolution, stride=1, padding=1))
    text = jax.export.export(step, platforms=["cpu"])(x, kernel).mlir_module()
    assert text.count("stablehlo.convolution") == convolutions
    expected = value_and_gradients(plain, x, kernel, stride=1, padding=1)
    chex.assert_trees_all_close(step(x, kernel), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("shapes", [((30, 4), (30, 7)), ((30, 7), (30, 4))])
def test_the_gradient_by_the_weights_of_pixels(shapes):
    pixels, dy = arrays(*shapes)
    expected = np.asarray(pixels, np.float64).T @ np.asarray(dy, np.float64)
    np.testing.assert_allclose(module.weights_gradient(pixels, dy), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("rows", [1, 2, 100])
def test_any_number_of_rows_at_a_time(rows, monkeypatch):
    x, dy = arrays((2, 7, 5, 3), (2, 7, 5, 4))
    monkeypatch.setattr(module, "_PIXELS", rows * 2 * 5)
    gradient = module.kernel_gradient(x, dy, (3, 3, 3, 4), 1, 1)
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0))).astype(np.float64)
    for i in range(3):
        for j in range(3):
            view = padded[:, i : i + 7, j : j + 5]
            expected = np.einsum("bhwn,bhwm->nm", view, np.asarray(dy, np.float64))
            np.testing.assert_allclose(gradient[i, j], expected, rtol=1e-4, atol=1e-4)


def test_bfloat16_sums_are_kept_in_float32():
    x, kernel = arrays((4, 40, 40, 4), (3, 3, 4, 5), dtype=jnp.bfloat16)
    outputs = value_and_gradients(convolution, x, kernel, stride=1, padding=1)
    assert {a.dtype for a in outputs} == {jnp.dtype(jnp.bfloat16)}
    (dy,) = arrays(outputs[0].shape, dtype=jnp.bfloat16)
    wide = [a.astype(jnp.float32) for a in (x, kernel, dy)]
    expected = jax.vjp(partial(plain, stride=1, padding=1), *wide[:2])[1](wide[2])[1]
    chex.assert_trees_all_close(outputs[2].astype(jnp.float32), expected, rtol=8e-3, atol=1e-3)


def test_a_batch_on_four_devices_gives_the_same():
    mesh = jax.make_mesh((4,), ("data",), axis_types=(AxisType.Auto,))
    x, kernel = arrays((8, 9, 6, 3), (3, 3, 3, 4))
    step = jax.jit(partial(value_and_gradients, convolution, stride=2, padding=1))
    split = jax.device_put(x, NamedSharding(mesh, PartitionSpec("data")))
    chex.assert_trees_all_close(step(split, kernel), step(x, kernel), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("bias", [True, False])
def test_the_module_is_flaxs(bias):
    (x,) = arrays((2, 8, 7, 3))
    ours = Conv(5, 3, stride=2, padding=1, use_bias=bias)
    flaxs = nn.Conv(5, (3, 3), 2, padding=1, use_bias=bias)
    variables = ours.init(jax.random.key(0), x)
    chex.assert_trees_all_equal(variables, flaxs.init(jax.random.key(0), x))
    variables = jax.tree.map(lambda a: a + 0.5, variables)
    chex.assert_trees_all_close(ours.apply(variables, x), flaxs.apply(variables, x), rtol=1e-5)


@pytest.mark.parametrize("k", [1, 3])
@pytest.mark.parametrize("platform", ["cuda", "tpu"])
def test_other_platforms_get_the_plain_convolution(platform, k):
    def operations(conv):
        """StableHLO operations of the value and both gradients, counted, less a case's frame."""

        def loss(x, kernel):
            return (conv(x, kernel, stride=2, padding=k // 2) ** 2).sum()

        step = jax.jit(jax.value_and_grad(loss, argnums=(0, 1)))
        text = jax.export.export(step, platforms=[platform])(x, kernel).mlir_module()
        words = [w for w in text.replace("(", " ").split() if w.startswith("stablehlo.")]
        return {w: words.count(w) for w in set(words) - {"stablehlo.constant", "stablehlo.return"}}

    x, kernel = arrays((2, 12, 12, 4), (k, k, 4, 8))
    assert operations(convolution) == operations(plain)


@pytest.mark.parametrize("k", [1, 3])
def test_several_devices_get_the_plain_convolution(k, monkeypatch):
    """With derivatives of every kind, and nothing that a loop would send for each of its turns."""
    monkeypatch.undo()
    monkeypatch.setattr(jax, "device_count", lambda: 2)
    x, kernel = arrays((2, 12, 12, 4), (k, k, 4, 8))
    gradient = partial(value_and_gradients, stride=1, padding=0)
    assert str(jax.make_jaxpr(partial(gradient, convolution))(x, kernel)) == str(
        jax.make_jaxpr(partial(gradient, plain))(x, kernel)
    )
