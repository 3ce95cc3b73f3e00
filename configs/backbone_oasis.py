"""EfficientNet-Lite0 alone on OASIS, polarity, themes it has not seen (fold 1 of 5).

python run.py --config configs/backbone_oasis.py --config.data.source=FOLDER_OF_OASIS
"""

from configs import wsidnet_oasis


def get_config():
    c = wsidnet_oasis.get_config()
    c.model.name = "classifier"
    return c
