"""The linear probe: what it reads, its maps, and its way to a file and back."""

import chex
import jax
import numpy as np
import pytest
import scipy

from jaxsent import models, pretrained
from tests.models import heads

TAPS = ("stage6", "stage7", "head")


def made(**options):
    return heads.made("probe", "efficientnet_lite0", **options)


def test_it_reads_the_averages_of_its_taps():
    model, variables = made(taps=TAPS)
    out = heads.applied(model, variables)
    _, taps = heads.tapped(model, variables, beyond=True)
    embedding = np.concatenate([taps[name].mean((1, 2)) for name in TAPS], 1)
    chex.assert_trees_all_close(out["embedding"], embedding, rtol=1e-5, atol=1e-6)
    layer = variables["params"]["classifier"]
    chex.assert_trees_all_close(
        out["class_logits"], embedding @ layer["kernel"] + layer["bias"], rtol=1e-4, atol=1e-5
    )
    # The mean of a class's map is its logit, up to the bias.
    chex.assert_trees_all_close(
        out["class_maps"].mean((1, 2)) + layer["bias"], out["class_logits"], rtol=1e-4, atol=1e-5
    )
    best = out["class_logits"].argmax(-1)
    for i, c in enumerate(best):
        chex.assert_trees_all_equal(out["sentiment_map"][i], out["class_maps"][i, ..., c])


def test_without_taps_it_reads_the_last_map():
    model, variables = made()
    assert heads.applied(model, variables)["embedding"].shape == (2, 1280)


@pytest.mark.parametrize(("taps", "message"), [
    (("stage9",), "this backbone has stem"), (("stage5", "head"), "maps of one size"),
])  # fmt: skip
def test_taps_that_do_not_fit(taps, message):
    with pytest.raises(ValueError, match=message):
        jax.eval_shape(
            models.build("probe", 2, backbone="efficientnet_lite0", taps=taps).init,
            jax.random.key(0), heads.IMAGES,
        )  # fmt: skip


def test_concepts_are_the_chances_of_the_imagenet_classes():
    model, variables = made(taps=TAPS, concepts=True)
    out = heads.applied(model, variables)
    _, taps = heads.tapped(model, variables, beyond=True)
    plain = models.build("efficientnet_lite0", 1000)
    trunk = {name: values["backbone"] for name, values in variables.items()}
    logits = plain.apply(trunk, heads.IMAGES)["class_logits"]
    averages = np.concatenate([taps[name].mean((1, 2)) for name in TAPS], 1)
    embedding = np.concatenate([averages, scipy.special.softmax(logits, -1)], 1)
    chex.assert_trees_all_close(out["embedding"], embedding, rtol=1e-3, atol=1e-6)
    layer = variables["params"]["classifier"]
    chex.assert_trees_all_close(
        out["class_logits"], embedding @ layer["kernel"] + layer["bias"], rtol=1e-3, atol=1e-4
    )


def test_a_map_of_concepts_is_their_gradient_times_the_last_map():
    model, variables = made(concepts=True)
    out = heads.applied(model, variables)
    _, taps = heads.tapped(model, variables, beyond=True)

    def logits(change):
        moved = {**variables, "perturbations": {"backbone": {"head": change}}}
        return model.apply(moved, heads.IMAGES)["class_logits"]

    head = taps["head"]
    for k in range(2):
        gradient = jax.grad(lambda change, k=k: logits(change)[:, k].sum())(np.zeros_like(head))
        expected = head.shape[1] * head.shape[2] * (gradient * head).sum(-1)
        chex.assert_trees_all_close(out["class_maps"][..., k], expected, rtol=1e-3, atol=1e-4)


def test_concepts_of_a_backbone_with_fully_connected_layers():
    model = models.build("probe", 2, backbone="alexnet", concepts=True)
    with pytest.raises(ValueError, match="expected a ResNet or EfficientNet"):
        jax.eval_shape(model.init, jax.random.key(0), heads.IMAGES)


@pytest.mark.slow
def test_to_torch_and_back_with_everything():
    model, variables = made(taps=TAPS, strangers=True, regress=("valence",))
    out = heads.applied(model, variables)
    layer = variables["params"]["stranger"]
    chex.assert_trees_all_close(
        out["strangeness"], (out["embedding"] @ layer["kernel"] + layer["bias"])[:, 0], rtol=1e-4
    )
    assert out["affect"].shape == (2, 1)
    state = pretrained.to_torch(model, variables)
    blank = jax.tree.map(np.zeros_like, variables)
    chex.assert_trees_all_equal(pretrained.from_torch(state, model, blank), variables)
