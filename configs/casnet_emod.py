"""CASNet on EMOd: what fixations teach (WSCNet, Table V, the upper bound; its numbers are lost).

    python run.py --config configs/casnet_emod.py \
        --config.data.source=FOLDER --config.init.weights=vgg16-397923af.pth

Learns the fixation maps of the training split and no emotions: there is no accuracy. CASNet's
authors trained on SALICON, 10,000 photographs, and tested on EMOd without training on it; here it
is trained on the 80 % of EMOd that it is not scored on. Their recipe is not known to us: as
fcnel_emotionroi. Not measured by us: photographs and weights come from the user.
"""

from configs import fcnel_emotionroi


def get_config():
    c = fcnel_emotionroi.get_config()
    c.model.name = "casnet"
    c.model.detect_classes = 2
    c.data.name = "emod"
    c.data.map = "fixation_map"
    return c
