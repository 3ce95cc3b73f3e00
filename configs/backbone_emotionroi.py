"""VGG-16 alone on EmotionROI, polarity (WSIDNet, Table 2, "Backbone": 77.02 %).

    python run.py --config configs/backbone_emotionroi.py \
        --config.data.source=FOLDER --config.init.weights=vgg16-397923af.pth

The ablation pair of wsidnet_emotionroi: F_h → Dense(2), from ImageNet. Not measured by us: the
photographs come from the user.
"""

from configs import wsidnet_emotionroi


def get_config():
    c = wsidnet_emotionroi.get_config()
    c.model.name = "classifier"
    c.init.checkpoint, c.init.scope = "", "all"
    return c
