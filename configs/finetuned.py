"""VGG-16, AlexNet or ResNet-101 with a new last layer (WSCNet, Table II, "Fine-tuned …"; lost).

    python run.py --config configs/finetuned.py:emotionroi \
        --config.data.source=FOLDER --config.init.weights=vgg16-397923af.pth
    python run.py --config configs/finetuned.py:emotionroi --config.model.backbone=alexnet \
        --config.data.source=FOLDER --config.init.weights=alexnet-owt-7be5be79.pth

The part names one of WSCNet's sets: fi (without a part), flickr_cc, instagram, twitter1, twitter2,
emotionroi or emod. 4096 → K behind fc7, or 2048 → K behind the average. Learning rates, batch,
epochs and ten crops as wscnet_fi; WSCNet tells no others. Input of 224 from a shorter side of 256,
what the networks were made for; at WSCNet's 448 ResNet-101's row is configs/cam.py, the same
network with its maps. WSIDNet's Table 1, "VGGNet", is backbone_fi with
--config.model.holistic=embedding, and so on every set of that paper. Not measured by us:
photographs and weights come from the user.
"""

from importlib import import_module


def get_config(part="fi"):
    c = import_module(f"configs.wscnet_{part}").get_config()
    c.model.name = "classifier"
    c.model.backbone = "vgg16"
    c.model.holistic = "embedding"
    c.data.image_size = 224
    c.augment.resize = c.eval.resize = 256
    return c
