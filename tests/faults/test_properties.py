"""What holds of every input: of pooling, the graph, losses, metrics, transforms and conversions."""

import itertools

import jax.numpy as jnp
import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from jaxsent import emotions, losses, metrics, pretrained
from jaxsent.data import augment, photograph
from jaxsent.models import gcn, pooling
from jaxsent.pretrained import torch_file, torch_writer
from jaxsent.pretrained.convert import from_flax

few = settings(max_examples=15, deadline=None, derandomize=True, database=None)
many = settings(few, max_examples=40)

whole = st.integers(-50, 50).map(float)  # floats that sums and products of keep exact
B, H, W, C, K, N = 2, 3, 4, 5, 2, 6
responses = arrays(np.float32, (B, H, W, C, K), elements=whole)
features = arrays(np.float32, (B, H, W, N), elements=whole)
orders = st.permutations(range(C)).map(list)
sides = st.integers(2, 9)
maps = sides.flatmap(lambda n: arrays(np.float64, (n, 7), elements=whole))
two_maps = sides.flatmap(lambda n: st.tuples(*[arrays(np.float64, (n, 7), elements=whole)] * 2))
pixels = st.tuples(st.integers(1, 40), st.integers(1, 40)).flatmap(
    lambda shape: arrays(np.uint8, (*shape, 3))
)


# --- pooling


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


# --- graph


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


# --- labels


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


@many
@given(st.lists(st.tuples(st.integers(0, 7), st.integers(-1, 7)), min_size=1, max_size=30))
def test_a_right_class_has_the_right_polarity(pairs):
    predictions, labels = np.array(pairs).T
    assume((labels >= 0).any())
    signs = emotions.polarity(emotions.MIKELS)
    exact = metrics.accuracy(predictions, labels)
    assert exact <= metrics.polarity_accuracy(predictions, labels, signs) <= 1
    two = metrics.accuracy(signs[predictions], np.where(labels < 0, -1, signs[labels]))
    assert two == metrics.polarity_accuracy(predictions, labels, signs)
    confusion = metrics.confusion_matrix(predictions, labels, 8)
    assert np.trace(confusion) / confusion.sum() == exact
    order = np.random.default_rng(0).permutation(len(labels))
    assert (metrics.confusion_matrix(predictions[order], labels[order], 8) == confusion).all()
    low, high = metrics.wilson_interval(np.trace(confusion), confusion.sum())
    assert 0 <= low <= exact <= high <= 1


# --- losses


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


# --- metrics


@many
@given(maps, st.sampled_from([0.5, 2.0, 64.0]), whole)
def test_otsu_moves_with_the_map(m, scale, shift):
    assert (metrics.binarise(scale * m + shift) == metrics.binarise(m)).all()
    assert m.min() <= metrics.otsu(m) <= m.max()


@many
@given(maps)
def test_a_map_that_is_its_truth(m):
    truth = metrics.binarise(m)
    row = metrics.detection_row(truth.astype(float), truth.astype(float))
    if not truth.any():
        assert row["case"] is None
        return
    assert (row["precision"], row["recall"], row["case"]) == (1, 1, "correct")
    assert row["mae"] == row["mae_binary"] == 0


@many
@given(two_maps, st.sampled_from([0.5, 2.0, 64.0]))
def test_how_alike_two_maps_are(both, scale):
    p, g = both
    assume(np.ptp(p) and np.ptp(g))
    assert abs(metrics.cc(p, g)) <= 1 + 1e-9
    assert np.isclose(metrics.cc(p, g), metrics.cc(g, p))
    assert np.isclose(metrics.cc(-p, g), -metrics.cc(p, g))
    assert np.isclose(metrics.cc(scale * p + 3, g), metrics.cc(p, g))
    assert np.isclose(metrics.sim(p, g), metrics.sim(g, p))
    assert 0 <= metrics.sim(p, g) <= 1 + 1e-9 and np.isclose(metrics.sim(g, g), 1)
    assert metrics.kl(p, g) >= -1e-9 and np.isclose(metrics.kl(g, g), 0)


@many
@given(two_maps, st.integers(0, 99))
def test_areas_under_curves(both, seed):
    m, fixations = both[0], both[1] > 20
    assume(fixations.any() and not fixations.all())
    area = metrics.region_auc(m, fixations)
    assert 0 <= area <= 1
    assert np.isclose(metrics.region_auc(-m, fixations), 1 - area)
    assert np.isclose(metrics.region_auc(m, ~fixations), 1 - area)
    assert metrics.region_auc(m**3, fixations) == area  # any map of the same order
    for auc in (metrics.auc_judd, metrics.auc_borji):
        rng = np.random.default_rng(seed)
        assert 0 <= auc(metrics.min_max(m), fixations, rng) <= 1
    perfect = metrics.auc_judd(fixations.astype(float), fixations, np.random.default_rng(seed))
    assert perfect > 0.5


@many
@given(st.lists(st.tuples(whole, whole), min_size=2, max_size=20), whole)
def test_concordance_is_no_more_than_correlation(pairs, shift):
    predicted, truth = np.array(pairs).T
    assume(np.ptp(predicted) and np.ptp(truth))
    r, c = metrics.pearson(predicted, truth), metrics.concordance(predicted, truth)
    assert abs(c) <= abs(r) + 1e-9 <= 1 + 2e-9
    assert np.isclose(metrics.pearson(3 * predicted + shift, truth), r)
    assert np.isclose(metrics.concordance(truth, predicted), c)
    assert np.isclose(metrics.concordance(truth, truth), 1)


# --- transforms


@many
@given(st.integers(1, 500), st.integers(1, 500), st.integers(0, 2**31))
def test_crops_lie_within(height, width, seed):
    rng = np.random.default_rng(seed)
    for y, x, h, w in (
        augment.random_crop_box(height, width, rng),
        augment.plain_crop_box(height, width, rng, 448, 512),
    ):
        assert 0 <= y < y + h <= height and 0 <= x < x + w <= width


@many
@given(pixels)
def test_turns_undo_each_other(image):
    assert (augment.flip(augment.flip(image)) == image).all()
    for turn in range(1, 9):
        back = {6: 8, 8: 6}.get(turn, turn)
        assert (photograph.turned(photograph.turned(image, turn), back) == image).all()
        assert sorted(photograph.turned(image, turn).ravel()) == sorted(image.ravel())
    quarter = photograph.turned(image, 6)
    assert (photograph.turned(quarter, 6) == photograph.turned(image, 3)).all()


@many
@given(pixels, st.integers(1, 60), st.integers(1, 60), st.sampled_from(["bilinear", "bicubic"]))
def test_resizing_makes_no_light(image, height, width, kind):
    resized = augment.resize(image, height, width, kind)
    assert resized.shape == (height, width, 3)
    if kind == "bilinear":  # bicubic overshoots
        assert resized.max() <= image.max() and resized.min() >= image.min()
    flat = np.full_like(image, image[0, 0])
    assert (augment.resize(flat, height, width, kind) == flat[0, 0]).all()


@many
@given(pixels, st.integers(1, 60), st.integers(1, 60))
def test_no_fixation_is_lost(image, height, width):
    points = np.where(image[..., 0] > 200, 255, 0).astype(np.uint8)
    moved = augment.resize_points(points, height, width)
    assert bool(moved.any()) == bool(points.any())
    assert (moved > 0).sum() <= (points > 0).sum()
    if height >= points.shape[0] and width >= points.shape[1]:
        assert (moved > 0).sum() == (points > 0).sum()


@many
@given(pixels, st.sampled_from([0, 255]))
def test_on_white(image, alpha):
    opaque = augment.on_white(np.dstack([image, np.full(image.shape[:2], alpha, np.uint8)]))
    assert (opaque == (image if alpha else 255)).all()


# --- conversions of weights


@many
@given(
    arrays(np.float32, st.sampled_from([(7,), (3, 5), (2, 3, 4, 5), (3, 512 * 49), (1, 9, 1, 1)]))
)
def test_weights_there_and_back(stored):
    shape = pretrained.to_flax(stored, (0,) * stored.ndim).shape
    loaded = pretrained.to_flax(stored, shape)
    np.testing.assert_array_equal(from_flax(loaded), stored)


@few
@given(st.dictionaries(st.text("ab.é\n", max_size=9), arrays(np.float32, (2, 3)), max_size=4))
def test_a_torch_file_there_and_back(tmp_path_factory, state):
    path = tmp_path_factory.getbasetemp() / "w.pth"
    torch_writer.write(path, state)
    loaded = torch_file.read(path)
    assert list(loaded) == list(state)
    for name, array in state.items():
        np.testing.assert_array_equal(loaded[name], array)
