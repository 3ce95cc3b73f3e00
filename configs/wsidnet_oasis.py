"""WSIDNet on OASIS, polarity, themes it has not seen (fold 1 of 5).

    python run.py --config configs/wsidnet_oasis.py --config.data.source=FOLDER_OF_OASIS

EfficientNet-Lite0 with its ImageNet weights, frozen. OASIS has no labels of eight emotions, so the
detection branch keeps Mikels' eight nodes and learns from the polarity alone.
"""

from configs import base


def get_config():
    c = base.get_config()
    c.model.backbone = "efficientnet_lite0"
    c.model.freeze = "backbone"
    c.init.weights = "efficientnet_lite0"
    c.data.name = "oasis/fold1"
    c.data.detect_target = "polarity"
    c.loss.detect = "polarity"
    c.augment.scale = (0.5, 1.0)
    c.train.epochs = 30.0
    c.optim.lr = 0.01
    c.optim.schedule = "cosine"
    c.train.checkpoint_every = 100
    return c
