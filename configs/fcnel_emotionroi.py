"""FCNEL on EmotionROI: what true maps teach (WSCNet, Fig. 6, upper bound; its numbers are lost).

    python run.py --config configs/fcnel_emotionroi.py \
        --config.data.source=FOLDER --config.init.weights=vgg16-397923af.pth

Learns the soft maps of the training split and no emotions: there is no accuracy. The paper's recipe
is not known to us: SGD at 1e-2 for the new layers and 1e-3 for VGG-16, clipped, 40 epochs, crops of
at least half the photograph. Not measured by us: photographs and weights come from the user.
"""

from configs import wscnet_emotionroi


def get_config():
    c = wscnet_emotionroi.get_config()
    c.model.name = "fcnel"
    c.model.backbone = "vgg16"
    c.data.map = "region"
    c.augment.scale = (0.5, 1.0)
    c.train.batch_size = 16
    c.train.epochs = 40.0
    c.optim.schedule = "cosine"
    c.optim.warmup = 1.0
    c.optim.clip = 1.0
    c.eval.resize = 448  # maps are of the whole image; predict's of as much as a crop can have
    c.eval.ten_crop = False
    return c
