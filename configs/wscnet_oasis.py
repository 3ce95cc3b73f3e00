"""WSCNet on OASIS, polarity, themes it has not seen (fold 1 of 5).

python run.py --config configs/wscnet_oasis.py --config.data.source=FOLDER_OF_OASIS
"""

from configs import wsidnet_oasis


def get_config():
    c = wsidnet_oasis.get_config()
    c.model.name = "wscnet"
    c.model.detect_classes = 2
    c.loss.detect = "cross_entropy"
    c.loss.detect_weight = 1.0
    return c
