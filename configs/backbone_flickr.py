"""VGG-16 alone on Flickr (WSIDNet, Table 2, "Backbone": 70.12 %).

    python run.py --config configs/backbone_flickr.py \
        --config.data.source=FOLDER --config.init.weights=vgg16-397923af.pth

The ablation pair of wsidnet_flickr: F_h → Dense(2), from ImageNet. Not measured by us: the
photographs come from the user.
"""

from configs import wsidnet_flickr


def get_config():
    c = wsidnet_flickr.get_config()
    c.model.name = "classifier"
    c.init.checkpoint, c.init.scope = "", "all"
    return c
