"""WSCNet on EMOd (WSCNet, Table II; its numbers are lost).

    python run.py --config configs/wscnet_emod.py \
        --config.data.source=FOLDER --config.init.weights=resnet101-63fe2227.pth

Polarity in both branches; the sentiment map is compared with fixations (Table V). Recipe and ten
crops as wscnet_fi. Not measured by us: the photographs and ResNet-101's ImageNet weights come from
the user.
"""

from configs import wscnet_fi


def get_config():
    c = wscnet_fi.get_config()
    c.data.name = "emod"
    c.data.validation_split = ""
    c.model.detect_classes = 2
    return c
