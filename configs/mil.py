"""MIL, multiple-instance learning, on ResNet-101 (WSCNet II-B and Fig. 2b; no row of its tables).

    python run.py --config configs/mil.py:emotionroi \
        --config.data.source=FOLDER --config.init.weights=resnet101-63fe2227.pth

The part names one of WSCNet's sets: fi (without a part), flickr_cc, instagram, twitter1, twitter2,
emotionroi or emod. An image is a bag of the 14×14 places of the feature map; its score for a class
is the highest of theirs, or with --config.model.bag=lse and noisy_or the smooth ones of
docs/baselines.md. Recipe and ten crops as wscnet_fi. The map is that of the predicted class. Not
measured by us: photographs and weights come from the user.
"""

from importlib import import_module


def get_config(part="fi"):
    c = import_module(f"configs.wscnet_{part}").get_config()
    c.model.name = "mil"
    return c
