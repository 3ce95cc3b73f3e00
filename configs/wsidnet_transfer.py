"""What the WSIDNet configs of sets other than FI share (WSIDNet, section 4.3).

The backbone and the detection branch, its eight nodes and their graph start from the run on FI.
Labels of eight emotions do not exist on these sets, so the detection branch learns from the
polarity: −log of the probability of the four emotions that have the image's. Train on FI first,
then:

    python run.py --config configs/wsidnet_fi.py …
    python run.py --config configs/wsidnet_twitter2.py \
        --config.data.source=FOLDER --config.init.checkpoint=runs/wsidnet_fi
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
