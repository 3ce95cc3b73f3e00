"""WSIDNet on FI, polarity (WSIDNet, Table 1 and 2, "Ours": 89.18 %).

    python run.py --config configs/wsidnet_fi.py \
        --config.data.source=FOLDER_OF_FI --config.init.weights=vgg16-397923af.pth

The detection branch learns the eight emotions, the classification branch their polarity. The paper
leaves out batch size, weight decay and the number of epochs: 32, 5e-4 and 60 here; and how it cuts
test images: ten crops of 224 from a shorter side of 256 here, as WSCNet averages them. Not measured
by us: FI and VGG-16's ImageNet weights come from the user. Without `init.weights` it trains from
scratch, which the paper did not.
"""

from configs import base


def get_config():
    c = base.get_config()
    c.data.name = "fi"
    c.data.validation_split = "validation"
    return c
