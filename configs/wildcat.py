"""WILDCAT on ResNet-101 (WSCNet, Table II, Fig. 6, Table V; its numbers are lost).

    python run.py --config configs/wildcat.py:emotionroi \
        --config.data.source=FOLDER --config.init.weights=resnet101-63fe2227.pth

The part names one of WSCNet's sets: fi (without a part), flickr_cc, instagram, twitter1, twitter2,
emotionroi or emod. M = 8, k = 0.2 and α = 0.7 as WILDCAT's authors ran VOC 2007 at 448; WSCNet does
not tell its own. Recipe and ten crops as wscnet_fi. The map is that of the predicted class. Not
measured by us: photographs and weights come from the user.
"""

from importlib import import_module


def get_config(part="fi"):
    c = import_module(f"configs.wscnet_{part}").get_config()
    c.model.name = "wildcat"
    c.model.maps_per_class = 8
    return c
