"""Strict settings for every test, and where the shared material lies."""

import os
import shutil
from pathlib import Path

# A third less time in the compiler, which is most of what tests take. Before JAX is imported.
os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} --xla_backend_optimization_level=1"

import absl.flags  # noqa: E402
import jax  # noqa: E402
import pytest  # noqa: E402

absl.flags.FLAGS.mark_as_parsed()  # grain's worker processes read flags
jax.config.update("jax_num_cpu_devices", 4)
# References are of float32: a GPU's or a TPU's own products are not (model.precision).
jax.config.update("jax_default_matmul_precision", "highest")
jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_numpy_dtype_promotion", "strict")

# Programs compiled by an earlier test, or an earlier run, are not compiled again.
jax.config.update("jax_compilation_cache_dir", str(Path(__file__).parents[1] / ".pytest_cache/xla"))
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.3)
jax.config.update("jax_persistent_cache_enable_xla_caches", "none")

SHARED = Path(__file__).parents[2] / "shared"


@pytest.fixture(scope="session")
def oasis_folder():
    """The photographs of OASIS that are shared with developers; not on a user's machine."""
    folder = SHARED / "data" / "oasis"
    if not folder.is_dir():
        pytest.skip("needs ../shared/data/oasis, which is beside a developer's checkout only")
    return folder


@pytest.fixture
def four_devices():
    """Skips where JAX computes on accelerators, unless there are four of them."""
    if jax.device_count() != 4:
        pytest.skip(f"needs four devices, as JAX_PLATFORMS=cpu has; here are {jax.devices()}")


@pytest.fixture(scope="session")
def prepared(tmp_path_factory):
    """Folder that holds emoji_scenes/tiny, prepared."""
    from tfds_builders.prepare import prepare

    folder = tmp_path_factory.mktemp("prepared")
    prepare("emoji_scenes", "tiny", folder)
    return folder


@pytest.fixture
def tiny_config(prepared, monkeypatch):
    """WSIDNet on two convolutions with batch norm at 32×32: a whole run takes seconds."""
    from configs import base
    from jaxsent import models
    from jaxsent.models import resnet
    from tests import tiny

    monkeypatch.setitem(models.BACKBONES, "tiny", "resnet:tiny")
    monkeypatch.setattr(resnet, "tiny", tiny.Tiny, raising=False)

    c = base.get_config()
    c.data.name, c.data.dir = "emoji_scenes/tiny", str(prepared)
    c.data.image_size = c.eval.resize = 32
    c.data.class_target, c.model.num_classes = "label", 8
    c.model.backbone, c.model.gcn_widths = "tiny", (16, 16)
    c.train.batch_size, c.train.steps, c.train.log_every = 16, 6, 2
    c.eval.batch_size, c.eval.ten_crop = 12, False
    c.optim.lr = c.optim.backbone_lr = 1e-3
    return c


@pytest.fixture(scope="session")
def trained_runs(tmp_path_factory):
    """{config as JSON: the folder of its run}, of `trained`."""
    return {}


@pytest.fixture
def trained(trained_runs, tmp_path_factory):
    """Trains a config, or copies the run of the test that asked for the same one before."""
    from jaxsent.training import loop

    def train(config, folder):
        key = config.to_json()
        if key not in trained_runs:
            trained_runs[key] = tmp_path_factory.mktemp("trained") / "run"
            loop.train(config, trained_runs[key])
        return Path(shutil.copytree(trained_runs[key], folder, dirs_exist_ok=True))

    return train
