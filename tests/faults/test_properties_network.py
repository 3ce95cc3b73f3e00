"""What holds of every input of pooling, the graph, labels and losses."""

import itertools

import jax.numpy as jnp
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from jaxsent import emotions, losses
from jaxsent.models import gcn, pooling

few = settings(max_examples=15, deadline=None, derandomize=True, database=None)
many = settings(few, max_examples=40)
whole = st.integers(-50, 50).map(float)  # floats that sums and products of keep exact
B, H, W, C, K, N = 2, 3, 4, 5, 2, 6
responses = arrays(np.float32, (B, H, W, C, K), elements=whole)
features = arrays(np.float32, (B, H, W, N), elements=whole)
orders = st.permutations(range(C)).map(list)


@few
@given(responses, st.permutations(range(H * W)).map(list))
def test_pooling_sees_no_places(f, places):
    moved = f.reshape(B, H * W, C, K)[:, places].reshape(f.shape)
    for kind in ("max", "avg"):
        pooled = pooling.cross_spatial_pooling(jnp.asarray(f), kind)
        again = pooling.cross_spatial_pooling(jnp.asarray(moved), kind)
        np.testing.assert_allclose(pooled, again, atol=1e-4)


@few
@given(responses, st.sampled_from([0.25, 0.5, 2.0, 8.0]), whole)
def test_pooling_scales_and_shifts_with_the_responses(f, scale, shift):
    for kind in ("max", "avg"):
        pooled = np.asarray(pooling.cross_spatial_pooling(jnp.asarray(f), kind))
        other = pooling.cross_spatial_pooling(jnp.asarray(scale * f + np.float32(shift)), kind)
        np.testing.assert_allclose(other, scale * pooled + shift, atol=1e-2)


@few
@given(responses)
def test_the_best_place_of_the_mean_is_no_better_than_the_mean_of_the_best(f):
    best = np.asarray(pooling.class_maps(jnp.asarray(f))).max((1, 2))
    pooled = np.asarray(pooling.cross_spatial_pooling(jnp.asarray(f)))
    average = np.asarray(pooling.cross_spatial_pooling(jnp.asarray(f), "avg"))
    assert (best <= pooled + 1e-4).all()
    assert (average <= best + 1e-4).all()


@few
@given(responses, orders)
def test_a_sentiment_map_lies_between_its_classes_maps_in_any_order(f, order):
    logits = pooling.cross_spatial_pooling(jnp.asarray(f))
    each = pooling.class_maps(jnp.asarray(f))
    one = np.asarray(pooling.sentiment_map(logits, each, "softmax"))
    assert (one <= np.asarray(each).max(-1) + 1e-3).all()
    assert (one >= np.asarray(each).min(-1) - 1e-3).all()
    order = np.array(order)
    for weights, mean in itertools.product(("raw", "softmax"), (False, True)):
        one = pooling.sentiment_map(logits, each, weights, mean)
        other = pooling.sentiment_map(logits[:, order], each[..., order], weights, mean)
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-2)


@few
@given(features, arrays(np.float32, (B, H, W), elements=whole))
def test_coupling_is_linear_in_the_map(f, m):
    f, m = jnp.asarray(f), jnp.asarray(m)
    local = np.asarray(pooling.couple(m, f, "local"))
    plain = np.asarray(pooling.couple(m, f, "none"))
    np.testing.assert_allclose(pooling.couple(m + 1, f, "local"), local + plain, atol=1e-2)
    np.testing.assert_array_equal(pooling.couple(m, f), np.concatenate([plain, local], 1))
    np.testing.assert_allclose(plain, np.asarray(f).mean((1, 2)), atol=1e-4)


@few
@given(features, arrays(np.int32, (B, H, W), elements=st.integers(0, C - 1)))
def test_nodes_of_a_partition_sum_to_the_mean(f, owner):
    parts = np.eye(C, dtype=np.float32)[owner]
    nodes = np.asarray(pooling.node_features(jnp.asarray(parts), jnp.asarray(f)))
    np.testing.assert_allclose(nodes.sum(1), f.mean((1, 2)), atol=1e-3)


@many
@given(arrays(np.float64, (C, C), elements=st.integers(1, 99).map(float)))
def test_a_normalised_adjacency(a):
    a = a + a.T
    normal = emotions.normalize_adjacency(a)
    np.testing.assert_array_equal(normal, normal.T)
    np.testing.assert_allclose(emotions.normalize_adjacency(4 * a), normal, rtol=1e-6)
    assert np.linalg.eigvalsh(normal)[-1] <= 1 + 1e-5
    root = np.sqrt(a.sum(1))  # the eigenvector of 1
    np.testing.assert_allclose(normal @ root, root, rtol=1e-5)


@few
@given(
    arrays(np.float32, (C, C), elements=whole),
    arrays(np.float32, (B, C, N), elements=whole),
    orders,
)
def test_a_graph_whose_nodes_are_renamed(a, h, order):
    order = np.array(order)
    out = gcn.propagate(jnp.asarray(a), jnp.asarray(h))
    renamed = gcn.propagate(jnp.asarray(a[order][:, order]), jnp.asarray(h[:, order]))
    np.testing.assert_allclose(renamed, np.asarray(out)[:, order], atol=1e-2)
    for readout in ("mean", "max"):
        one, other = gcn.read_out(out, readout), gcn.read_out(out[:, order], readout)
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-2)


@many
@given(st.permutations(emotions.MIKELS), st.integers(0, 7), st.booleans())
def test_steps_on_a_wheel_are_a_distance(classes, turn, backwards):
    steps = emotions.wheel_steps(classes)
    assert (steps == steps.T).all()
    assert ((steps == 0) == np.eye(8, dtype=bool)).all()
    assert (steps[:, None, :] <= steps[:, :, None] + steps[None, :, :]).all()
    wheel = emotions.WHEEL[turn:] + emotions.WHEEL[:turn]
    assert (emotions.wheel_steps(classes, wheel[::-1] if backwards else wheel) == steps).all()


@many
@given(st.floats(0.05, 10), st.sampled_from([emotions.MIKELS, emotions.EMOTIONROI]))
def test_a_label_as_a_distribution(sigma, classes):
    signs = emotions.polarity(classes)
    for over in ("polarity", "wheel"):
        rows = emotions.label_distributions(classes, sigma, over)
        np.testing.assert_allclose(rows.sum(1), 1, rtol=1e-5)
        assert (rows.argmax(1) == np.arange(len(classes))).all()
        across = rows[signs[:, None] != signs[None, :]]
        assert (across == 0).all() if over == "polarity" else across.max() < 1


@few
@given(arrays(np.float32, (B, 8), elements=st.floats(-20, 20, width=32)), st.integers(0, 7), whole)
def test_losses_of_logits(logits, label, shift):
    labels, signs = jnp.full(B, label), emotions.polarity(emotions.MIKELS)
    logits = jnp.asarray(logits)
    exact = np.asarray(losses.cross_entropy(logits, labels))
    np.testing.assert_allclose(losses.cross_entropy(logits + shift, labels), exact, atol=1e-3)
    half = losses.polarity_loss(logits, jnp.full(B, signs[label]), jnp.asarray(signs))
    assert (np.asarray(half) <= exact + 1e-4).all()  # the label is of its polarity's classes
    assert (np.asarray(half) >= -1e-5).all()
    sure = jnp.asarray(np.tile(np.eye(8, dtype=np.float32)[label], (B, 1)))
    np.testing.assert_allclose(losses.distribution_loss(logits, sure), exact, atol=1e-4)


@few
@given(arrays(np.float32, (2, 12, 8), elements=st.floats(0, 1, width=32)))
def test_cells_of_an_area_are_means(truth):
    """In two steps as in one, where the cells nest; nothing is lost at edges that cut pixels."""
    small = np.asarray(losses.area_resize(jnp.asarray(truth), 3, 2))
    halves = losses.area_resize(losses.area_resize(jnp.asarray(truth), 6, 4), 3, 2)
    np.testing.assert_allclose(small, halves, atol=1e-5)
    uneven = np.asarray(losses.area_resize(jnp.asarray(truth), 5, 3))
    np.testing.assert_allclose(uneven.mean((1, 2)), truth.mean((1, 2)), atol=1e-5)


@few
@given(
    arrays(np.float32, (B, H, W, C), elements=whole),
    arrays(np.int32, (B,), elements=st.integers(0, C - 1)),
)
def test_the_map_of_a_class_is_one_of_its_maps(maps, classes):
    chosen = pooling.map_of(jnp.asarray(classes), jnp.asarray(maps))
    for b, c in enumerate(classes):
        np.testing.assert_array_equal(chosen[b], maps[b, :, :, c])


def test_the_papers_widths():
    assert gcn.StackedGCN(None).widths == (512, 2048)


def test_a_joint_loss_is_the_sum_of_what_it_asks_for():
    logits = jnp.asarray([[1.0, 2.0, -1.0]])
    out = {"class_logits": logits, "detect_logits": 2 * logits, "affect": jnp.asarray([[3.0]])}
    signs, label, ratings = jnp.asarray([0, 1, 1]), jnp.asarray([1]), jnp.asarray([[1.0]])
    detections = {
        "polarity": losses.polarity_loss(2 * logits, label, signs),
        "cross_entropy": losses.cross_entropy(2 * logits, label),
    }
    for detect, term in detections.items():
        total = losses.joint_loss(
            out, label, label, signs, ratings=ratings, class_weight=0.5, detect_weight=3.0,
            detect=detect, affect_weight=0.25, affect_scale=(0.5,),
        )["loss"]  # fmt: skip
        expected = 0.5 * losses.cross_entropy(logits, label) + 3 * term + 0.25 * (2 / 0.5) ** 2
        np.testing.assert_allclose(total, expected, rtol=1e-6)
