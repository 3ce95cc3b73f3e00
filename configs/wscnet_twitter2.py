"""WSCNet on Twitter II (WSCNet, Table II; its numbers are lost).

    python run.py --config configs/wscnet_twitter2.py \
        --config.data.source=FOLDER --config.init.weights=resnet101-63fe2227.pth

Polarity in both branches; wscnet_twitter2.py:fold2 is the second of five folds. Recipe and ten
crops as wscnet_fi. Not measured by us: the photographs and ResNet-101's ImageNet weights come from
the user.
"""

from configs import wscnet_fi


def get_config(part="fold1"):
    c = wscnet_fi.get_config()
    c.data.name = f"twitter2/{part}"
    c.data.validation_split = ""
    c.model.detect_classes = 2
    return c
