"""CASNet on EMOd: what its own fixations teach (beside WSCNet, Table V; ours).

    python run.py --config configs/casnet_emod.py \
        --config.data.source=FOLDER --config.init.weights=vgg16-397923af.pth

Learns the fixation maps of the training split and no emotions: there is no accuracy. This is not
the paper's row, whose CASNet learns from SALICON alone, as casnet_salicon: it learns from the 80 %
of EMOd that it is not scored on. CASNet's own recipe is not known to us: as fcnel_emotionroi. Not
measured by us: photographs and weights come from the user.
"""

from configs import fcnel_emotionroi


def get_config():
    c = fcnel_emotionroi.get_config()
    c.model.name = "casnet"
    c.model.detect_classes = 2
    c.data.name = "emod"
    c.data.map = "fixation_map"
    return c
