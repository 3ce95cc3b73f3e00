"""The compared networks: on every backbone, to torch and back, learning labels or true maps."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from configs import cam, finetuned, maps_demo, mil, spn, wildcat
from jaxsent import models, pretrained
from jaxsent.data import augment
from jaxsent.data.batches import eval_batches, train_batches
from jaxsent.errors import UserError
from jaxsent.evaluation import evaluate
from jaxsent.models.inference import predict_step
from jaxsent.run import checks, experiment, initial, sharding
from jaxsent.run.state import TrainState
from jaxsent.training import loop, optim
from jaxsent.training.step import train_step
from tests.models import heads

LABELS, MAPS = ("cam", "probe", "wildcat", "spn", "mil"), models.SUPERVISED
SETS = ("fi", "flickr_cc", "instagram", "twitter1", "twitter2", "emotionroi", "emod")


@pytest.mark.parametrize("backbone", ["vgg16", "alexnet", "resnet18", "efficientnet_lite0"])
@pytest.mark.parametrize("name", [*LABELS, *MAPS])
def test_every_network_stands_on_every_backbone(name, backbone):
    model = models.build(name, 3, backbone=backbone, dtype=jnp.bfloat16)
    # Flax's BatchNorm itself promotes bfloat16 implicitly.
    with jax.numpy_dtype_promotion("strict" if backbone in ("vgg16", "alexnet") else "standard"):
        variables = jax.eval_shape(model.init, jax.random.key(0), heads.IMAGES)
        out = jax.eval_shape(model.apply, variables, heads.IMAGES)
    assert {x.dtype for x in jax.tree.leaves((variables, out))} == {jnp.dtype("float32")}
    b, h, w = out["sentiment_map"].shape
    assert b == 2
    if name in LABELS:
        assert out["class_logits"].shape == (2, 3)
        assert out["class_maps"].shape == (2, h, w, 3)
    else:
        assert set(out) <= {"map_logits", "sentiment_map"}


@pytest.mark.slow
@pytest.mark.parametrize("name", [*LABELS, *MAPS])
def test_a_frozen_backbone_is_read_alike(name):
    model, variables = heads.made(name, "efficientnet_lite0")
    frozen = heads.applied(model.clone(freeze="backbone"), variables)
    chex.assert_trees_all_close(frozen, heads.applied(model, variables), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("name", "backbone"), [
    ("cam", "vgg16"), ("wildcat", "resnet18"), ("spn", "vgg16"), ("mil", "resnet18"),
    ("fcnel", "resnet18"), ("casnet", "alexnet"),
])  # fmt: skip
def test_to_torch_and_back(name, backbone):
    model, variables = heads.made(name, backbone)
    state = pretrained.to_torch(model, variables)
    assert len(state) == len(jax.tree.leaves(variables)) + sum("num_batches" in k for k in state)
    blank = jax.tree.map(np.zeros_like, variables)
    chex.assert_trees_all_equal(pretrained.from_torch(state, model, blank), variables)


@pytest.mark.parametrize("name", [*LABELS, *MAPS])
def test_weights_of_the_backbone_enter(name):
    """ImageNet's, with their 1,000 classes left aside."""
    model, variables = heads.made(name)
    other, weights = heads.made("resnet18", None, num_classes=1000, seed=1)
    state = pretrained.to_torch(other, weights)
    loaded = pretrained.from_torch(state, model, variables, new_layers=True)
    del weights["params"]["fc"]
    chex.assert_trees_all_equal(loaded["params"]["backbone"], weights["params"])
    for part in set(variables["params"]) - {"backbone"}:
        chex.assert_trees_all_equal(loaded["params"][part], variables["params"][part])


@pytest.mark.parametrize("config", [cam, wildcat, spn, mil, finetuned])
def test_configs_of_every_set(config):
    for name in SETS:
        c = config.get_config(name)
        checks.check(c)
        assert experiment.network(c.model).num_classes == c.model.num_classes
        assert c.data.name.partition("/")[0] == name


@pytest.mark.parametrize("name", [*LABELS, *MAPS, "wscnet"])
def test_demos(name):
    c = maps_demo.get_config(name)
    checks.check(c)
    experiment.network(c.model)


@pytest.mark.parametrize(
    "name", [LABELS[0], *(pytest.param(n, marks=pytest.mark.slow) for n in LABELS[1:])]
)
def test_networks_that_learn_labels(name, tiny_config, tmp_path):
    tiny_config.model.name = name
    results = loop.train(tiny_config, tmp_path)
    assert results["count"] == 32
    assert {"mae", "precision", "recall", "f"} <= results["sentiment_map"].keys()
    assert "detection_accuracy" not in results
    again = evaluate.run(tiny_config, tmp_path)
    assert again["sentiment_map"]["f"] == pytest.approx(results["sentiment_map"]["f"])


@pytest.mark.parametrize("name", MAPS)
def test_a_run_without_classes(name, tiny_config, tmp_path):
    tiny_config.model.name, tiny_config.data.map = name, "region"
    results = loop.train(tiny_config, tmp_path)
    assert {"mae", "precision", "recall", "f"} <= results["sentiment_map"].keys()
    assert "accuracy" not in results
    assert (tmp_path / "report" / "index.html").is_file()


def learned(config, updates):
    """Runs `updates` steps -> metrics of each."""
    task = experiment.make(config)
    factor = optim.schedule(config.optim, 4, updates)
    tx = optim.optimizer(config.optim, factor, False)
    step = jax.jit(
        train_step(task.model, tx, factor, config, task.class_polarity, task.preprocessing)
    )
    state = TrainState.create(initial.random_variables(task), tx, False)
    batches = train_batches(
        task.builder, "train", batch_size=16, image_size=32, seed=0, maps=(config.data.map,),
        **augment.of_an_image(config.augment),
    )  # fmt: skip
    history = []
    for _, batch in zip(range(updates), batches, strict=False):
        state, metrics = step(state, sharding.put(batch, task.mesh))
        history.append({k: float(v) for k, v in metrics.items()})
    return task, state, history


@pytest.mark.parametrize("accumulate", [1, 2])
@pytest.mark.parametrize("name", MAPS)
def test_networks_that_learn_maps(name, accumulate, tiny_config):
    tiny_config.model.name, tiny_config.data.map = name, "region"
    tiny_config.augment.scale, tiny_config.train.accumulate = (0.7, 1.0), accumulate
    tiny_config.optim.lr = tiny_config.optim.backbone_lr = 0.03
    task, state, history = learned(tiny_config, 60)
    assert "accuracy" not in history[0]
    assert history[0]["loss"] == history[0]["map_loss"]
    first, last = (np.mean([m["loss"] for m in part]) for part in (history[:5], history[-5:]))
    assert last < 0.9 * first
    batch = next(
        eval_batches(
            task.builder, "test", batch_size=32, image_size=32, resize=32, whole=True,
            maps=("region",),
        )
    )  # fmt: skip
    predict = jax.jit(predict_step(task.model, task.preprocessing))
    out = predict(state.variables(), batch["image"], batch["whole"])
    assert set(out) == {"sentiment_map"}
    h, w = out["sentiment_map"].shape[1:]
    truth = np.stack([augment.resize(augment.decode_region(r), h, w) for r in batch["region"]])
    together = np.corrcoef(np.ravel(out["sentiment_map"]), truth.ravel())[0, 1]
    assert together > 0.2


@pytest.mark.parametrize(
    ("name", "learns", "validation", "message"),
    [
        ("fcnel", "", "", "learns from true maps: set data.map=region"),
        ("wildcat", "region", "", "learns from labels alone"),
        ("casnet", "region", "test", "has no classes"),
        ("fcnel", "fixation_map", "", "has no fixation_map"),
    ],
)
def test_maps_and_networks_that_do_not_fit(name, learns, validation, message, tiny_config):
    tiny_config.model.name, tiny_config.data.map = name, learns
    tiny_config.data.validation_split = validation
    with pytest.raises(UserError, match=message):
        learned(tiny_config, 1)
