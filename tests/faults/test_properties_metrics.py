"""What holds of every input of the metrics."""

import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from jaxsent import emotions, metrics

many = settings(max_examples=40, deadline=None, derandomize=True, database=None)
whole = st.integers(-50, 50).map(float)  # floats that sums and products of keep exact
sides = st.integers(2, 9)
maps = sides.flatmap(lambda n: arrays(np.float64, (n, 7), elements=whole))
two_maps = sides.flatmap(lambda n: st.tuples(*[arrays(np.float64, (n, 7), elements=whole)] * 2))


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
    recall = [np.mean(predictions[labels == k] == k) if k in labels else np.nan for k in range(8)]
    np.testing.assert_allclose(metrics.per_class_recall(confusion), recall)
    order = np.random.default_rng(0).permutation(len(labels))
    assert (metrics.confusion_matrix(predictions[order], labels[order], 8) == confusion).all()
    low, high = metrics.wilson_interval(np.trace(confusion), confusion.sum())
    assert 0 <= low <= exact <= high <= 1


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
    assert np.isclose(metrics.pearson(predicted / 1024, truth / 1024), r)
    assert np.isclose(metrics.concordance(truth, predicted), c)
    assert np.isclose(metrics.concordance(truth, truth), 1)


def test_two_ratings_have_an_interval():
    """The fewest that have one; resamples of one of them alone have no concordance."""
    np.testing.assert_allclose(metrics.concordance_interval([1, 2], [1, 2], resamples=50), (1, 1))
    assert np.isnan(metrics.concordance_interval([1], [1])).all()
