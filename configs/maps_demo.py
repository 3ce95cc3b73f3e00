"""The maps that WSCNet compares with, on emoji_scenes, the set that needs nothing from the user.

    python run.py --config configs/maps_demo.py:wildcat

The part is a network: cam, wildcat (without a part), spn, mil or wscnet, which learn from labels,
and fcnel or casnet, which learn the masks. Recipe and data as wsidnet_demo, 4 epochs: 5 to 10
minutes on two shared CPU cores. It checks the methods; it claims nothing about photographs.
Measured by a script with this recipe, one run each: F of the map against the masks 0.58 for wildcat
(accuracy 0.75), 0.50 for cam (0.69), 0.48 for spn (0.65; before it had its dropout), 0.75 for fcnel
and casnet (MAE 0.30 and 0.12); a centre box has 0.45, a random map 0.26.
"""

from configs import wsidnet_demo


def get_config(part="wildcat"):
    c = wsidnet_demo.get_config()
    c.model.name = part
    c.train.epochs = 4.0
    if part in ("fcnel", "casnet"):
        c.data.map = "region"
    return c
