"""VGG-16 alone on FI, polarity (WSIDNet, Table 2, "Backbone": 83.05 %).

    python run.py --config configs/backbone_fi.py \
        --config.data.source=FOLDER_OF_FI --config.init.weights=vgg16-397923af.pth

The ablation pair of wsidnet_fi: F_h → Dense(2), everything else the same.
"""

from configs import wsidnet_fi


def get_config():
    c = wsidnet_fi.get_config()
    c.model.name = "classifier"
    return c
