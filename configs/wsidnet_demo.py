"""WSIDNet on emoji_scenes, the set that needs nothing from the user: `make demo`.

    python run.py --config configs/wsidnet_demo.py

EfficientNet-Lite0 with its ImageNet weights, frozen; both branches learn the eight classes from
image-level labels alone, and the exact masks of the emoji score the sentiment maps. It checks the
method; it claims nothing about photographs.
"""

from configs import base


def get_config():
    c = base.get_config()
    c.model.backbone = "efficientnet_lite0"
    c.model.freeze = "backbone"
    c.model.readout = "max"
    c.init.weights = "efficientnet_lite0"
    c.data.name = "emoji_scenes"
    c.data.dir = "runs/prepared"
    c.data.class_target = "label"
    c.augment.scale = (0.7, 1.0)
    c.train.epochs = 8.0
    c.optim.lr = 0.05
    c.optim.schedule = "cosine"
    c.optim.warmup = 0.5
    c.optim.clip = 1.0
    c.loss.detect_weight = 1.0
    c.eval.resize = 224  # the scene is the whole picture: nothing to cut, no ten crops
    c.eval.ten_crop = False
    return c
