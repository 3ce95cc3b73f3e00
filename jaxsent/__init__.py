"""Which emotion a photograph evokes, and which of its regions evoke it.

`import jaxsent` is quick: JAX and the modules below are imported when first used.
"""

from importlib import import_module

__version__ = "0.1.0"

MODULES = ("emotions", "losses", "metrics", "models", "pretrained")


def load(model=None, engine: str = "auto"):
    """A predictor of a finished run or an exported file; without either, of the model of
    photographs that comes with jaxsent. See jaxsent.prediction.predictor.load."""
    return import_module("jaxsent.prediction.predictor").load(model, engine)


def __getattr__(name: str):
    if name in MODULES:
        return import_module(f"jaxsent.{name}")
    raise AttributeError(f"module 'jaxsent' has no attribute {name!r}")


def __dir__():
    return [*globals(), *MODULES]
