"""WSCNet on the 42,856 photographs of Instagram of Katsurai and Satoh (WSCNet, Table II; its
numbers are lost).

    python run.py --config configs/wscnet_instagram.py \
        --config.data.source=FOLDER --config.init.weights=resnet101-63fe2227.pth

Polarity in both branches; as many images of each class, 90 % to train and 10 % to test. Recipe and
ten crops as wscnet_fi. Not measured by us: the photographs and ResNet-101's ImageNet weights come
from the user.
"""

from configs import wscnet_fi


def get_config():
    c = wscnet_fi.get_config()
    c.data.name = "instagram"
    c.data.validation_split = ""
    c.model.detect_classes = 2
    return c
