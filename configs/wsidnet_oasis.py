"""WSIDNet on OASIS, polarity, themes it has not seen (fold 1 of 5).

    python run.py --config configs/wsidnet_oasis.py --config.data.source=FOLDER_OF_OASIS

wsidnet_oasis.py:fold2 is the second fold; `jaxsent reproduce --table oasis` makes all.

EfficientNet-Lite0 with its ImageNet weights, frozen: fewer than 500 photographs do not train a
backbone. F is its last feature map, 7×7×1280, since stage5 knows too little of what is shown. OASIS
has no labels of eight emotions, so the detection branch keeps Mikels' eight nodes and learns from
the polarity alone. The backbone sees eight crops of each photograph once; few epochs, λ = 1 and no
clipping, without which the detection branch learns next to nothing, are of docs/experiments.md.
"""

from configs import base


def get_config(part="fold1"):
    c = base.get_config()
    c.model.backbone = "efficientnet_lite0"
    c.model.freeze = "backbone"
    c.model.tap = "head"
    c.model.holistic = "pool"
    c.model.readout = "max"
    c.init.weights = "efficientnet_lite0"
    c.data.name = f"oasis/{part}"
    c.data.crops = 8
    c.data.detect_target = "polarity"
    c.loss.detect = "polarity"
    c.loss.detect_weight = 1.0
    c.augment.scale = (0.5, 1.0)
    c.train.epochs = 6.0
    c.train.checkpoint_every = 100
    c.optim.schedule = "cosine"
    c.optim.warmup = 1.0
    c.optim.weight_decay = 5e-3
    return c
