"""WSIDNet on Flickr's 484,258 photographs, labelled by adjective–noun pair (WSIDNet, Table 1,
"Ours": 74.53 %).

    python run.py --config configs/wsidnet_flickr.py \
        --config.data.source=FOLDER --config.init.checkpoint=runs/wsidnet_fi \
        --config.init.weights=vgg16-397923af.pth

Starts from a finished run of configs/wsidnet_fi.py (see wsidnet_transfer). Not measured by us: the
photographs come from the user.
"""

from configs import wsidnet_transfer


def get_config():
    return wsidnet_transfer.get_config("flickr")
