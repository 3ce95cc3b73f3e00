"""WSIDNet on EmotionROI, polarity (WSIDNet, Table 1, "Ours": 83.33 %).

    python run.py --config configs/wsidnet_emotionroi.py \
        --config.data.source=FOLDER --config.init.checkpoint=runs/wsidnet_fi \
        --config.init.weights=vgg16-397923af.pth

Starts from a finished run of configs/wsidnet_fi.py (see wsidnet_transfer). Not measured by us: the
photographs come from the user.
"""

from configs import wsidnet_transfer


def get_config():
    return wsidnet_transfer.get_config("emotionroi")
