"""Ratings beside the classes: layer, loss, and runs on photographs whose light tells them."""

import json

import chex
import cv2
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxsent import losses, models, pretrained
from jaxsent.errors import UserError
from jaxsent.evaluation import evaluate
from jaxsent.prediction import engines
from jaxsent.run import experiment
from jaxsent.training import loop
from tests import tiny
from tests.models import heads
from tests.tfds_builders import test_oasis

RATINGS = ("valence", "arousal")
SCALE = dict(regress=RATINGS, regress_mean=(4.0, 3.0), regress_std=(1.5, 0.5))


@pytest.mark.parametrize("name", sorted(set(models.NETWORKS) - set(models.SUPERVISED)))
def test_every_network_that_names_classes_rates(name):
    model = models.build(name, 3, backbone="resnet18", **SCALE)
    variables = jax.eval_shape(model.init, jax.random.key(0), heads.IMAGES)
    out = jax.eval_shape(model.apply, variables, heads.IMAGES)
    assert (out["affect"].shape, out["affect"].dtype) == ((2, 2), jnp.float32)
    filled = jax.tree.map(lambda x: np.ones(x.shape, np.float32), variables)
    state = pretrained.to_torch(model, filled)
    assert state["regressor.weight"].shape[0] == 2
    blank = jax.tree.map(np.zeros_like, filled)
    chex.assert_trees_all_equal(pretrained.from_torch(state, model, blank), filled)
    plain = models.build(name, 3, backbone="resnet18")
    less = jax.eval_shape(plain.init, jax.random.key(0), heads.IMAGES)["params"]
    assert set(variables["params"]) - set(less) == {"regressor"}


def test_ratings_by_hand():
    """Read from what the classifier reads, in the ratings' units."""
    model, variables = heads.made("classifier", holistic="embedding", **SCALE)
    variables["params"]["regressor"]["bias"] += np.float32([0.5, -1])
    out = heads.applied(model, variables)
    layer = variables["params"]["regressor"]
    expected = [4, 3] + [1.5, 0.5] * (out["holistic"] @ layer["kernel"] + layer["bias"])
    chex.assert_trees_all_close(out["affect"], expected, rtol=1e-4)


def test_an_exported_network_that_rates_is_no_damaged_one(tmp_path):
    said = {
        "labels": {"classes": ["a", "b"], "emotions": []}, "eval": {"resize": 32},
        "data": {"image_size": 32}, "input": {"interpolation": "bilinear"},
    }  # fmt: skip
    shapes = {"class_probabilities": (None, 2), "affect": (None, 3)}
    engine = engines._exported("JAX", tmp_path / "model", said, None, shapes)
    assert engine.card.classes == ("a", "b")


def test_affect_loss_by_hand():
    predicted = np.float32([[4, 3], [5, 2], [1, 1]])
    truth = np.float32([[1, 3.5], [np.nan, 2.5], [np.nan, np.nan]])
    ours = losses.affect_loss(jnp.asarray(predicted), jnp.asarray(truth), (1.5, 0.5))
    np.testing.assert_allclose(ours, [((3 / 1.5) ** 2 + 1) / 2, 1, 0], rtol=1e-5)
    gradient = jax.grad(lambda x: losses.affect_loss(x, jnp.asarray(truth), (1.5, 0.5)).sum())
    expected = [[3 / 1.5**2, -0.5 / 0.5**2], [0, -2 * 0.5 / 0.5**2], [0, 0]]
    np.testing.assert_allclose(gradient(jnp.asarray(predicted)), expected, rtol=1e-5)


@pytest.fixture
def oasis(tmp_path):
    """Bright photographs are pleasant, red ones arousing."""
    folder, rng = tmp_path / "oasis", np.random.default_rng(0)
    (folder / "images").mkdir(parents=True)
    lines = [test_oasis.HEADER]
    for theme in test_oasis.THEMES:
        for i in range(1, 5):
            valence, arousal = rng.choice([1.5, 2.5, 5.5, 6.5]), rng.uniform(1, 6)
            light = 30 * valence
            picture = np.full((40, 50, 3), light) + rng.normal(0, 5, (40, 50, 3))
            picture[..., 2] += 15 * (arousal - 3.5)
            path = folder / "images" / f"{theme} {i}.jpg"
            cv2.imwrite(str(path), np.clip(picture, 0, 255).astype(np.uint8))
            lines.append(f"I,{theme} {i},Object,X,{valence},1,100,{arousal:.3f},1,100")
    (folder / "OASIS.csv").write_bytes("\r".join(lines).encode())
    return folder


@pytest.fixture
def rating(tiny_config, oasis, tmp_path):
    c = tiny_config
    c.data.name, c.data.dir, c.data.source = "oasis/fold1", str(tmp_path / "data"), str(oasis)
    c.data.class_target, c.model.num_classes = "polarity", None
    c.model.name, c.model.holistic, c.model.regress = "classifier", "embedding", RATINGS
    return c


def test_a_run_learns_ratings_and_reports_them(rating, tmp_path):
    run = tmp_path / "run"
    results = tiny.learnt(rating, run, 120)
    stored = json.loads((run / "report" / "results.json").read_text())["affect"]
    assert set(stored) == set(RATINGS)
    assert stored["valence"]["count"] == results["count"]
    assert stored["valence"]["ccc_interval"][0] > 0.3  # of a guess: 0
    assert stored["arousal"]["ccc"] > 0.1
    assert abs(stored["valence"]["mae"]) < 2  # in the units of 1 to 7
    assert "Valence, CCC" in (run / "report" / "index.html").read_text()
    config = json.loads((run / "config.json").read_text())["model"]
    assert 3 < config["regress_mean"][0] < 5
    rating.model.regress_mean = rating.model.regress_std = None
    again = evaluate.run(rating, run)["affect"]
    assert again["valence"]["ccc"] == pytest.approx(stored["valence"]["ccc"], abs=1e-6)


def test_ratings_that_cannot_be_learnt(rating, prepared, tmp_path):
    task = experiment.make(rating)
    assert task.model.regress_std == rating.model.regress_std
    rating.model.name, rating.data.map = "fcnel", "region"
    with pytest.raises(UserError, match="fcnel learns maps alone"):
        experiment.make(rating)
    rating.model.name, rating.data.map, rating.data.name = "mil", "", "emoji_scenes/tiny"
    rating.data.dir, rating.data.source = str(prepared), ""
    rating.data.class_target, rating.model.num_classes = "label", None
    with pytest.raises(UserError, match=r"emoji_scenes/tiny has no valence, arousal; it has"):
        loop.train(rating, tmp_path / "none")


def test_a_network_learns_the_votes_of_raters(rating, prepared, tmp_path):
    """Where half of the raters disagree it does not learn to be sure."""
    rating.model.regress = ()
    rating.loss.distribution_weight, rating.loss.distribution_over = 1.0, "votes"
    results = tiny.learnt(rating, tmp_path / "run", 60)
    assert results["accuracy_interval"][0] > 0.5
    lines = (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
    assert "distribution_loss" in json.loads(lines[-1])
    rating.data.class_target, rating.model.num_classes = "label", None
    with pytest.raises(UserError, match="distribution_over=votes needs data.class_target=polarity"):
        experiment.make(rating)
    rating.data.name, rating.data.dir, rating.data.source = "emoji_scenes/tiny", str(prepared), ""
    rating.data.class_target = "polarity"
    with pytest.raises(UserError, match=r"emoji_scenes/tiny has no votes; it has"):
        loop.train(rating, tmp_path / "none")
