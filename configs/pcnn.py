"""PCNN, a network trained progressively on noisy labels (WSIDNet, Table 1, "PCNN").

    python run.py --config configs/pcnn.py \
        --config.data.source=FOLDER_OF_FLICKR --config.init.weights=vgg16-397923af.pth
    jaxsent eval runs/pcnn --split train
    python run.py --config configs/pcnn.py --workdir runs/pcnn_flickr_kept \
        --config.data.subset=runs/pcnn/report/train/predictions.csv \
        --config.init.checkpoint=runs/pcnn
    python run.py --config configs/pcnn.py:twitter1 \
        --config.data.source=FOLDER --config.init.checkpoint=runs/pcnn_flickr_kept

Table 1's numbers: FI 75.34 %, Flickr 70.48 %, Twitter I 82.54 % (five agree), 76.50 % (at least
four), 76.36 % (at least three), Twitter II 77.68 %, EmotionROI 73.58 %. The part is a set of
WSIDNet's: flickr (without a part), the noisy one, labelled by its adjectives; or fi, emotionroi,
twitter1 or twitter2, to which the network is then carried over (You et al., AAAI 2015, "domain
transferred"); --config.data.name=twitter1/agree4_fold2 is another fold. Second step: of what it was
trained on, images whose two scores lie close are removed by chance, and it goes on with the rest.
Not as the paper: its own network of two convolutional layers is VGG-16 here, from which WSIDNet's
other rows start, and the recipe is WSIDNet's. Not measured by us: photographs and weights come from
the user.
"""

from configs import wsidnet_fi

FIRST_FOLDS = {"twitter1": "twitter1/agree5_fold1", "twitter2": "twitter2/fold1"}


def get_config(part="flickr"):
    c = wsidnet_fi.get_config()
    c.model.name = "classifier"
    c.model.holistic = "embedding"
    c.data.name = FIRST_FOLDS.get(part, part)
    c.data.validation_split = "validation" if part == "fi" else ""
    return c
