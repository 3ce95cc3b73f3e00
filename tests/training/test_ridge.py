"""The closed forms behind the model of photographs, against scikit-learn and SciPy."""

import numpy as np
import pytest
from scipy import stats
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import roc_auc_score

from jaxsent.training import probe, ridge

RNG = np.random.default_rng(0)
BLOCKS = (20, 40)
WEIGHTS = RNG.normal(size=60) / 5
OTHERS = 3 + RNG.normal(size=(8, 60))


def photographs(count=80, noise=0.3):
    """Embeddings whose mean valence a line tells, up to noise; three of each theme."""
    rng = np.random.default_rng(1)
    themes = np.array([f"theme {i // 3}" for i in range(count)])
    shared = np.repeat(rng.normal(size=(count // 3 + 1, 60)), 3, axis=0)[:count]
    x = shared + rng.normal(size=(count, 60))
    valence = np.clip(4 + x @ WEIGHTS + noise * rng.normal(size=count), 1, 7)
    return x, np.stack([valence, rng.uniform(1, 7, count)], 1), themes


def test_ridge_against_scikit_learn():
    x, ratings, _ = photographs()
    for penalty, (kernel, bias) in zip((0.5, 20.0), ridge.ridge(x, ratings[:, 0], (0.5, 20.0))):
        expected = Ridge(penalty).fit(x, ratings[:, 0])
        np.testing.assert_allclose(kernel, expected.coef_, rtol=1e-7)
        assert bias == pytest.approx(expected.intercept_)


def test_a_line_reads_embeddings_as_they_are():
    """`linear` undoes the scale: it predicts what ridge predicts on scaled embeddings."""
    x, ratings, _ = photographs()
    scale = ridge.scaling(x, BLOCKS)
    ((w, b),) = ridge.ridge(scale(x), ratings[:, 0], (2.0,))
    kernel, bias = ridge.linear(x, ratings[:, 0], 2.0, BLOCKS)
    np.testing.assert_allclose(x @ kernel + bias, scale(x) @ w + b, rtol=1e-8)
    variances = scale(x).var(0)
    assert variances[:20].sum() == pytest.approx(0.5, rel=1e-4)
    assert variances[20:].sum() == pytest.approx(0.5, rel=1e-4)


def test_the_mean_of_all_settings_against_scikit_learn():
    x, ratings, _ = photographs()
    scaled = ridge.scaling(x, BLOCKS)(x)
    scores = []
    for steepness in ridge.STEEPNESS:
        target = np.tanh(steepness * (ratings[:, 0] - 4)) / steepness
        for penalty in ridge.PENALTIES:
            scores.append(Ridge(penalty).fit(scaled, target).predict(scaled) / target.std())
    line = ridge.averaged(x, ratings[:, 0], BLOCKS)
    np.testing.assert_allclose(line(x), np.mean(scores, axis=0), atol=1e-8)


def test_probabilities_are_fitted_to_scores_of_unseen_groups():
    """A scale of the training scores themselves would be far too sure."""
    x, ratings, themes = photographs(noise=2.0)
    positive, clear = ratings[:, 0] >= 4.5, probe.clear(ratings[:, 0])
    line = ridge.polarity_probe(x, ratings[:, 0], positive, clear, themes, BLOCKS)
    part, scores = ridge.divided(themes, ridge.INNER, seed=0), np.zeros(len(x))
    for fold in range(ridge.INNER):
        model = ridge.averaged(x[part != fold], ratings[part != fold, 0], BLOCKS)
        scores[part == fold] = model(x[part == fold])
    expected = LogisticRegression(C=np.inf, tol=1e-8).fit(scores[clear, None], positive[clear])
    whole = ridge.averaged(x, ratings[:, 0], BLOCKS)
    np.testing.assert_allclose(
        line(x), whole(x) * expected.coef_[0, 0] + expected.intercept_[0], rtol=1e-2, atol=1e-2
    )


def test_saturated_valence():
    valence = np.linspace(1, 7, 7)
    np.testing.assert_allclose(ridge.saturated(valence, 1e-4), valence - 4, atol=1e-6)
    np.testing.assert_allclose(10 * ridge.saturated(valence, 10), np.sign(valence - 4), atol=1e-6)


def test_scores_become_the_likeliest_log_odds():
    rng = np.random.default_rng(3)
    scores = rng.normal(size=300)
    positive = rng.uniform(size=300) < 1 / (1 + np.exp(-(2 * scores - 0.7)))
    a, b = ridge.logistic(scores, positive)
    expected = LogisticRegression(C=np.inf, tol=1e-8).fit(scores[:, None], positive)
    assert (a, b) == pytest.approx((expected.coef_[0, 0], expected.intercept_[0]), rel=1e-3)
    least = ridge.likelihood(a * scores + b, positive)
    assert least < ridge.likelihood(1.1 * a * scores + b, positive)


def test_groups_are_never_divided():
    _, _, themes = photographs()
    part = ridge.divided(themes, 5, seed=0)
    assert set(part) == set(range(5))
    for theme in np.unique(themes):
        assert len(set(part[themes == theme])) == 1


def test_strangers_are_told_by_models_that_did_not_see_them():
    x, ratings, themes = photographs(90)
    others = 3 + np.random.default_rng(4).normal(size=(20, 60))
    fold = ridge.divided(themes, 4, seed=5)
    answers = probe.unseen(x, ratings, themes, fold, BLOCKS, others)
    limit = np.quantile(answers.strangeness, 0.99)
    assert (answers.others > limit).mean() > 0.9
    second = np.arange(20) % 4 == 1
    model = probe.stranger_probe(x[fold != 1], others[~second], BLOCKS)
    np.testing.assert_allclose(answers.others[second], model(others[second]))
    expected = Ridge(probe.STRANGER_PENALTY).fit(
        ridge.scaling(np.concatenate([x, others]), BLOCKS)(np.concatenate([x, others])),
        np.repeat([0.0, 1.0], [90, 20]),
    )
    scaled = ridge.scaling(np.concatenate([x, others]), BLOCKS)(x)
    score = probe.stranger_probe(x, others, BLOCKS)(x)
    np.testing.assert_allclose(score, expected.predict(scaled), atol=1e-8)


def test_answers_for_unseen_themes_choose_nothing_by_them():
    """Neither ratings nor embeddings of a fold enter what its photographs are answered by."""
    x, ratings, themes = photographs()
    fold = ridge.divided(themes, 4, seed=5)
    answers = probe.unseen(x, ratings, themes, fold, BLOCKS, OTHERS)
    outside = fold == 2
    changed_x, changed = x.copy(), ratings.copy()
    changed[outside] = 8 - changed[outside]
    changed_x[outside] *= 3
    again = probe.unseen(changed_x, changed, themes, fold, BLOCKS, OTHERS)
    model = probe.polarity(x, ratings, themes, BLOCKS, ~outside)
    np.testing.assert_allclose(answers.logits[outside], model(x[outside]), rtol=1e-8)
    np.testing.assert_allclose(again.logits[outside], model(3 * x[outside]), rtol=1e-8)
    assert np.abs(again.logits[~outside] - answers.logits[~outside]).max() > 0.1


def test_results_of_photographs_that_a_line_tells():
    x, ratings, themes = photographs(240, noise=0.2)
    fold = ridge.divided(themes, 5, seed=9)
    answers = probe.unseen(x, ratings, themes, fold, BLOCKS, OTHERS)
    categories = np.where(np.arange(240) % 3, "people", "scenery")
    results = probe.results(answers, ratings, themes, categories, sure=0.75)
    known = probe.clear(ratings[:, 0])
    positive = ratings[known, 0] >= 4.5
    right = (answers.logits[known] > 0) == positive
    assert results["count"] + results["neutral"] == 240
    assert results["accuracy"] == pytest.approx(right.mean())
    assert results["accuracy"] > 0.85
    assert results["auc"] == pytest.approx(roc_auc_score(positive, answers.logits[known]))
    assert results["accuracy_interval"][0] < results["accuracy"] < results["accuracy_interval"][1]
    assert results["auc_interval"][0] < results["auc"] < results["auc_interval"][1]
    chance = stats.logistic.cdf(answers.logits)
    confident = np.maximum(chance, 1 - chance) >= 0.75
    assert results["coverage"] == pytest.approx(confident[known].mean())
    assert results["sure_accuracy"] == pytest.approx(right[confident[known]].mean())
    assert results["neutral_sure"] == pytest.approx(confident[~known].mean())
    assert results["valence_r"] == pytest.approx(
        np.corrcoef(answers.ratings[:, 0], ratings[:, 0])[0, 1]
    )
    assert results["sure_accuracy"] > results["unsure_accuracy"]
    people = categories[known] == "people"
    share = positive[people].mean()
    assert results["categories"]["people"] == [
        people.sum(), pytest.approx(right[people].mean()), pytest.approx(max(share, 1 - share))
    ]  # fmt: skip
    given = np.maximum(chance, 1 - chance)[known]
    assert sum(count for _, count, _, _ in results["bands"]) == known.sum()
    low, count, mean, share = results["bands"][-1]
    last = given >= 0.9
    assert (low, count) == (pytest.approx(0.9), last.sum())
    assert (mean, share) == pytest.approx((given[last].mean(), right[last].mean()))
    strong = np.abs(ratings[known, 0] - 4) >= 1.5
    assert results["strong"] == [strong.sum(), pytest.approx(right[strong].mean())]


def test_other_divisions_of_the_themes():
    x, ratings, themes = photographs(120)
    known = probe.clear(ratings[:, 0])
    positive = ratings[known, 0] >= 4.5
    scores = []
    for seed in (1, 2, 3):
        logits = probe.unseen_logits(x, ratings, themes, ridge.divided(themes, 4, seed), BLOCKS)
        right = (logits[known] > 0) == positive
        scores.append((right.mean(), roc_auc_score(positive, logits[known])))
    accuracy, area = zip(*scores)
    assert probe.divisions(x, ratings, themes, BLOCKS, 4, 3) == {
        "accuracy": pytest.approx([np.mean(accuracy), stats.tstd(accuracy)]),
        "auc": pytest.approx([np.mean(area), stats.tstd(area)]),
    }
