"""What a config's words become: the dtype of the computation."""

import jax
import jax.numpy as jnp
import pytest

from configs import base
from jaxsent.run import folder


@pytest.mark.parametrize(
    ("version", "platform", "dtype"),
    [
        ("0.10.2", "cpu", jnp.bfloat16), ("0.11.2", "gpu", jnp.bfloat16),
        ("0.11.0", "cpu", jnp.float32), ("0.12.0.dev20270101", "cpu", jnp.float32),
        ("1.0", "cpu", jnp.float32),
    ],
)  # fmt: skip
def test_bfloat16_falls_back_where_cpus_compute_nan(version, platform, dtype, monkeypatch, capsys):
    monkeypatch.setattr(jax, "__version__", version)
    monkeypatch.setattr(jax, "default_backend", lambda: platform)
    config = base.get_config().model
    config.num_classes, config.dtype = 2, "bfloat16"
    model = folder.network(config)
    assert model.dtype == model.backbone.dtype == dtype
    text = " ".join(capsys.readouterr().err.split())
    assert ("computing in float32" in text) == (dtype == jnp.float32)
    assert config.dtype == "bfloat16"  # what a run is said to be stays


def test_float32_needs_no_word(monkeypatch, capsys):
    monkeypatch.setattr(jax, "__version__", "0.11.2")
    config = base.get_config().model
    config.num_classes = 2
    assert folder.network(config).dtype == jnp.float32
    assert not capsys.readouterr().err
