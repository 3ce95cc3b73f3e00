"""WSIDNet on FI with all eight emotions in both branches (no number in the paper).

    python run.py --config configs/wsidnet_fi8.py \
        --config.data.source=FOLDER_OF_FI --config.init.weights=vgg16-397923af.pth
"""

from configs import wsidnet_fi


def get_config():
    c = wsidnet_fi.get_config()
    c.data.class_target = "label"
    return c
