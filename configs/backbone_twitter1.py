"""VGG-16 alone on Twitter I (WSIDNet, Table 2, "Backbone": five agree 84.35 %, at least four 82.26
%, at least three 76.75 %).

    python run.py --config configs/backbone_twitter1.py \
        --config.data.source=FOLDER --config.init.weights=vgg16-397923af.pth

The mean of five folds: backbone_twitter1.py:agree5_fold2 is the second of "Five agree",
:agree4_fold1 the first of "At least four agree"; each has its own folder of runs/.

The ablation pair of wsidnet_twitter1: F_h → Dense(2), from ImageNet. Not measured by us: the
photographs come from the user.
"""

from configs import wsidnet_twitter1


def get_config(part="agree5_fold1"):
    c = wsidnet_twitter1.get_config(part)
    c.model.name = "classifier"
    c.init.checkpoint, c.init.scope = "", "all"
    return c
