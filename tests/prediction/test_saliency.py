"""Maps as pysaliency's model: its own metrics run on them."""

import importlib
import sys
import types

import numpy as np
import pytest

from jaxsent.errors import UserError
from jaxsent.prediction import pysaliency_model
from jaxsent.prediction.saliency import map_of
from tests.prediction.stand_in import predictor

SPOT = (20, 48)  # row and column of what is bright


class Unneeded(types.ModuleType):
    """Has whatever is asked of it: what pysaliency imports and a test needs not."""

    __path__ = ()

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)


@pytest.fixture
def pysaliency(monkeypatch):
    """The package itself, but for models of MATLAB and torch and for setuptools' pkg_resources."""
    for name in ("pkg_resources", "pysaliency.external_models"):
        monkeypatch.setitem(sys.modules, name, Unneeded(name))
    monkeypatch.setattr(np, "trapz", np.trapezoid, raising=False)  # as NumPy had it before 2.4
    before = set(sys.modules)
    yield pytest.importorskip("pysaliency")
    for name in set(sys.modules) - before:
        if name.partition(".")[0] == "pysaliency":
            del sys.modules[name]


def photograph(height=64, width=96):
    y, x = np.mgrid[:height, :width]
    spot = 255 * np.exp(-((y - SPOT[0]) ** 2 + (x - SPOT[1]) ** 2) / 100)
    return np.stack([spot] * 3, -1).astype(np.uint8)


@pytest.mark.filterwarnings("ignore")  # pysaliency's own
def test_pysaliencys_auc(pysaliency):
    model = pysaliency_model(predictor(resize=0))
    stimuli = pysaliency.Stimuli([photograph(), photograph()[..., 0]])  # a grey one too
    assert model.saliency_map(stimuli[0]).shape == (64, 96)
    rng = np.random.default_rng(0)

    def auc(row, column):
        offsets = rng.normal(0, 2, (2, 40))
        x, y = column + offsets[0], row + offsets[1]
        fixations = pysaliency.Fixations.create_without_history(x=x, y=y, n=[0, 1] * 20)
        return model.AUC(stimuli, fixations)

    assert auc(*SPOT) > 0.95
    assert auc(55, 10) < 0.6
    opposite = pysaliency_model(predictor(resize=0), "sadness", caching=False)
    assert not opposite.caching
    seen, unseen = (m.saliency_map(stimuli[0])[SPOT] for m in (model, opposite))
    assert seen == pytest.approx(1 - unseen, abs=1e-6) and seen > unseen


def test_what_a_crop_did_not_see_is_the_least():
    prediction = predictor(resize=32)(photograph())  # the central square
    whole = map_of(prediction)
    assert prediction.box == (0, 16, 64, 64)
    assert whole.shape == (64, 96) and whole.dtype == np.float64
    assert (whole[:, :16] == whole.min()).all() and (whole[:, 80:] == whole.min()).all()
    assert np.abs(np.subtract(np.unravel_index(whole.argmax(), whole.shape), SPOT)).max() < 6
    opposite = map_of(prediction, "sadness")
    assert 0 < opposite[:, :16].min() == opposite[:, :16].max() == opposite.min()
    with pytest.raises(UserError, match="no map of joy; this network's: sadness, awe"):
        map_of(prediction, "joy")


def test_without_pysaliency(monkeypatch):
    monkeypatch.setitem(sys.modules, "pysaliency", None)
    with pytest.raises(UserError, match=r"pysaliency cannot be imported .* pip install pysaliency"):
        pysaliency_model(predictor())


def test_it_is_offered_by_the_package():
    package = importlib.import_module("jaxsent.prediction")
    assert package.__all__ == ["pysaliency_model"]
