"""WSCNet on EmotionROI, six emotions (WSCNet, Table II; its numbers are lost).

    python run.py --config configs/wscnet_emotionroi.py \
        --config.data.source=FOLDER --config.init.weights=resnet101-63fe2227.pth

The text tells of the maps: recall 0.60, 60.27 % of images located correctly. Recipe and ten crops
as wscnet_fi. Not measured by us: the photographs and ResNet-101's ImageNet weights come from the
user.
"""

from configs import wscnet_fi


def get_config():
    c = wscnet_fi.get_config()
    c.data.name = "emotionroi"
    c.data.validation_split = ""
    c.model.detect_classes = 6
    return c
