"""What the WSIDNet configs of sets other than FI share (WSIDNet, section 4.3).

The features of the backbone and the detection branch, its eight nodes and their graph start from
the run on FI; fc6 and fc7, which the classification branch alone reads, from ImageNet, as all of
backbone_*. `--config.init.scope=features` on a backbone_* config is the control: the features from
FI without the graph (Table 2's pairs differ in both).
Labels of eight emotions do not exist on these sets, so the detection branch learns from the
polarity: −log of the probability of the four emotions that have the image's. Train on FI first,
then:

    python run.py --config configs/wsidnet_fi.py …
    python run.py --config configs/wsidnet_twitter2.py \
        --config.data.source=FOLDER --config.init.checkpoint=runs/wsidnet_fi \
        --config.init.weights=vgg16-397923af.pth
"""

from configs import wsidnet_fi


def get_config(name="twitter2/fold1"):
    c = wsidnet_fi.get_config()
    c.data.name = name
    c.data.validation_split = ""
    c.data.detect_target = "polarity"
    c.loss.detect = "polarity"
    c.init.checkpoint = "runs/wsidnet_fi"
    c.init.scope = "detection"
    return c
