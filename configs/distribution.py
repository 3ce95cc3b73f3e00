"""ResNet-101 that learns label distributions: Yang et al., IJCAI 2017 (WSCNet, Table II; lost).

    python run.py --config configs/distribution.py:emotionroi \
        --config.data.source=FOLDER --config.init.weights=resnet101-63fe2227.pth

The part is fi (without a part) or emotionroi, the sets of several emotions: a single label becomes
a distribution over the wheel of emotions. WSCNet reports the classification "using ResNet" (IV-B2)
and tells no recipe: its own, as wscnet_fi, 448 and ten crops. λ = 0.8 and σ = 0.45 as in Yang et
al.'s code; EmotionROI's wheel is ours. Not measured by us: photographs and weights come from the
user.
"""

from importlib import import_module


def get_config(part="fi"):
    c = import_module(f"configs.wscnet_{part}").get_config()
    c.model.name = "classifier"
    c.model.holistic = "embedding"
    c.loss.distribution_weight = 0.8
    return c
