"""WSCNet on photographs of one's own, a folder per class; the classes are yours.

    jaxsent data prepare folder/pets --from FOLDER_OF_PETS
    python run.py --config configs/folder.py:pets

docs/tutorial.md walks through it. EfficientNet-Lite0 with its ImageNet weights, frozen: a few
hundred photographs do not train a backbone. Both branches learn the classes.
`--config.model.name=classifier` is the backbone alone, to compare with.
"""

from ml_collections import config_dict

from configs import base
from jaxsent.errors import UserError


def get_config(name=""):
    if not name:
        raise UserError(
            "configs/folder.py: expected the name of a prepared set behind a colon, such as "
            "configs/folder.py:pets for folder/pets."
        )
    c = base.get_config()
    c.model.name = "wscnet"
    c.model.backbone = "efficientnet_lite0"
    c.model.freeze = "backbone"
    c.model.tap = "head"
    c.model.holistic = "pool"
    c.model.detect_classes = config_dict.placeholder(int)  # as many as there are classes
    c.init.weights = "efficientnet_lite0"
    c.data.name = f"folder/{name}"
    c.data.class_target = "label"
    c.augment.scale = (0.5, 1.0)
    c.train.epochs = 20.0
    c.train.checkpoint_every = 100
    c.optim.schedule = "cosine"
    c.optim.warmup = 2.0
    c.optim.clip = 1.0
    c.optim.weight_decay = 5e-3
    c.loss.detect_weight = 1.0
    c.eval.ten_crop = False
    return c
