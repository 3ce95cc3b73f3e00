"""WSIDNet on Twitter I (WSIDNet, Table 1, "Ours": five agree 91.25 %, at least four 87.96 %, at
least three 84.34 %).

    python run.py --config configs/wsidnet_twitter1.py \
        --config.data.source=FOLDER --config.init.checkpoint=runs/wsidnet_fi \
        --config.init.weights=vgg16-397923af.pth

The mean of five folds: wsidnet_twitter1.py:agree5_fold2 is the second of "Five agree",
:agree4_fold1 the first of "At least four agree"; each has its own folder of runs/.

Starts from a finished run of configs/wsidnet_fi.py (see wsidnet_transfer). Not measured by us: the
photographs come from the user.
"""

from configs import wsidnet_transfer


def get_config(part="agree5_fold1"):
    return wsidnet_transfer.get_config(f"twitter1/{part}")
