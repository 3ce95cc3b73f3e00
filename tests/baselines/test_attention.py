"""Real fixations: reading them, and what every map without learning should be better than."""

import numpy as np
import pytest

from jaxsent import metrics
from jaxsent.baselines.saliency import MAPS
from jaxsent.data import fixations
from jaxsent.errors import UserError
from tests.conftest import SHARED

SIDE = 448


@pytest.fixture(scope="session")
def scene():
    folder = SHARED / "data" / "scene"
    if not folder.is_dir():
        pytest.skip("needs ../shared/data/scene, which is beside a developer's checkout only")
    return folder


@pytest.fixture
def folder(tmp_path):
    import cv2

    (tmp_path / "images").mkdir()
    for name, shape in (("b.png", (20, 40)), ("a.png", (60, 30))):
        cv2.imwrite(str(tmp_path / "images" / name), np.zeros((*shape, 3), np.uint8))
    rows = "image,row,col\nb.png,10.5,39.9\na.png,0,0\nb.png,0.2,1\n"
    (tmp_path / "fixations.csv").write_text(rows)
    return tmp_path


def test_photographs_and_fixations_are_scaled_together(folder):
    a, b = fixations.read(folder, 80)
    assert (a.name, b.name) == ("a.png", "b.png")
    assert a.image.shape == (80, 40, 3) and b.image.shape == (40, 80, 3)
    np.testing.assert_allclose(b.points, [[21, 79.8], [0.4, 2]])
    mask = fixations.fixation_mask(b.points, (40, 80))
    assert np.argwhere(mask).tolist() == [[0, 2], [21, 79]]


def test_a_fixation_map_is_a_sum_of_gaussians():
    points = np.array([[30.0, 30.0], [30.4, 30.9], [50.0, 60.0]])
    map = fixations.fixation_map(points, (80, 100), 5)
    y, x = np.mgrid[:80, :100]
    expected = 2 * np.exp(-((y - 30) ** 2 + (x - 30) ** 2) / 50)
    expected += np.exp(-((y - 50) ** 2 + (x - 60) ** 2) / 50)
    np.testing.assert_allclose(map, expected / expected.max(), atol=2e-3)
    assert not fixations.fixation_map(np.zeros((0, 2)), (8, 8), 5).any()


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("image,row,col\nb.png,20,3\n", r"b.png has 20 rows and 40 columns .* 1 fixations outside"),
        ("image,x,y\nb.png,1,3\n", "lacks row, col; it has"),
        ("image,row,col\nb.png,1,3\nb.png,,3\n", "line 3: row or col is no number"),
        ("image,row,col\nc.png,1,3\n", "names c.png, but there is no"),
    ],
)
def test_errors_say_what_was_found(folder, rows, message):
    (folder / "fixations.csv").write_text(rows)
    with pytest.raises(UserError, match=message):
        list(fixations.read(folder, 80))


def test_a_folder_without_fixations(tmp_path):
    with pytest.raises(UserError, match="Expected .*fixations.csv"):
        list(fixations.read(tmp_path, 80))


@pytest.mark.slow
def test_where_people_look_is_told_better_than_by_chance(scene):
    names = ("random", "centre_gaussian", "itti_koch", "gbvs", "spectral_residual")
    rows, rng = {name: [] for name in names}, np.random.default_rng(0)
    for viewed in fixations.read(scene, SIDE):
        shape = viewed.image.shape[:2]
        mask = fixations.fixation_mask(viewed.points, shape)
        truth = fixations.fixation_map(viewed.points, shape, SIDE * 35 / 1024)
        for name in names:
            map = MAPS[name](viewed.image, rng)
            rows[name].append(metrics.attention_row(map, mask, truth, rng))
    scores = {name: metrics.summarise_attention(each) for name, each in rows.items()}
    assert scores["random"]["count"] == 100 and scores["random"]["no_fixation"] == 0
    assert scores["random"]["auc_judd"] == pytest.approx(0.5, abs=0.02)
    for name in names[1:]:
        for metric in ("auc_judd", "auc_borji", "cc"):
            assert scores[name][metric] > scores["random"][metric] + 0.1
    average = metrics.average_rank(scores)
    assert max(average, key=average.get) == "random"
