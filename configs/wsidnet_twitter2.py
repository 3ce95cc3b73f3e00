"""WSIDNet on Twitter II (WSIDNet, Table 1, "Ours": 81.32 %).

    python run.py --config configs/wsidnet_twitter2.py \
        --config.data.source=FOLDER --config.init.checkpoint=runs/wsidnet_fi \
        --config.init.weights=vgg16-397923af.pth

The mean of five folds: wsidnet_twitter2.py:fold2 is the second; each has its own folder of runs/.

Starts from a finished run of configs/wsidnet_fi.py (see wsidnet_transfer). Not measured by us: the
photographs come from the user.
"""

from configs import wsidnet_transfer


def get_config(part="fold1"):
    return wsidnet_transfer.get_config(f"twitter2/{part}")
