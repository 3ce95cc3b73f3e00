"""VGG-16 alone on Twitter II (WSIDNet, Table 2, "Backbone": 76.99 %).

    python run.py --config configs/backbone_twitter2.py \
        --config.data.source=FOLDER --config.init.weights=vgg16-397923af.pth

The mean of five folds: backbone_twitter2.py:fold2 is the second; each has its own folder of runs/.

The ablation pair of wsidnet_twitter2: F_h → Dense(2), from ImageNet. Not measured by us: the
photographs come from the user.
"""

from configs import wsidnet_twitter2


def get_config(part="fold1"):
    c = wsidnet_twitter2.get_config(part)
    c.model.name = "classifier"
    c.init.checkpoint, c.init.scope = "", "all"
    return c
