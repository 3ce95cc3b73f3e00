"""CASNet on SALICON, tested on EMOd: what fixations teach (WSCNet, Table V; its numbers are lost).

    python run.py --config configs/casnet_salicon.py --workdir runs/casnet_salicon \
        --config.data.source=FOLDER_OF_SALICON --config.init.weights=vgg16-397923af.pth
    jaxsent eval runs/casnet_salicon --data emod --config.data.source=FOLDER_OF_EMOD

The paper: "CASNet is trained on the SALICON to achieve their best possible performance, directly
tested on the EMOd without training/fine-tuning". The first command trains on SALICON's 10,000
training photographs and scores its 5,000 of validation, whose truth is published; the last leaves
the paper's row in runs/casnet_salicon/report/emod/, on the fifth of EMOd that every other row of
the table is scored on. Learns fixation maps and no emotions: there is no accuracy. CASNet's own
recipe is not known to us: as fcnel_emotionroi. Not measured by us: photographs and weights come
from the user.
"""

from configs import casnet_emod


def get_config():
    c = casnet_emod.get_config()
    c.data.name = "salicon"
    return c
