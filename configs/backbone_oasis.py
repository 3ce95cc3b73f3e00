"""EfficientNet-Lite0 alone on OASIS, polarity, themes it has not seen (fold 1 of 5).

    python run.py --config configs/backbone_oasis.py --config.data.source=FOLDER_OF_OASIS

backbone_oasis.py:fold2 is the second fold; `jaxsent reproduce --table oasis` makes all.
"""

from configs import wsidnet_oasis


def get_config(part="fold1"):
    c = wsidnet_oasis.get_config(part)
    c.model.name = "classifier"
    return c
