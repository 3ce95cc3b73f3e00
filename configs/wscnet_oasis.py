"""WSCNet on OASIS, polarity, themes it has not seen (fold 1 of 5).

    python run.py --config configs/wscnet_oasis.py --config.data.source=FOLDER_OF_OASIS

wscnet_oasis.py:fold2 is the second fold; `jaxsent reproduce --table oasis` makes all.
"""

from configs import wsidnet_oasis


def get_config(part="fold1"):
    c = wsidnet_oasis.get_config(part)
    c.model.name = "wscnet"
    c.model.detect_classes = 2
    c.loss.detect = "cross_entropy"
    c.optim.lr, c.optim.weight_decay = 1e-3, 5e-2  # coupling by raw weights overfits sooner
    return c
