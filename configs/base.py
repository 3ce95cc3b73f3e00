"""Every key with its default. A config of this folder states only what differs.

A key is set on the command line by its path: `--config.train.batch_size=64`.
"""

from ml_collections import ConfigDict, config_dict


def get_config() -> ConfigDict:
    """The defaults: WSIDNet's recipe, as far as its paper states it (spec in docs/method.md)."""
    c = ConfigDict()
    c.seed = 0  # initial weights, order of the images, augmentation and dropout

    c.model = m = ConfigDict()
    m.name = "wsidnet"  # wsidnet, wscnet, classifier (the plain backbone); maps by labels alone:
    # cam, wildcat, spn, mil, probe; by true maps, see data.map: fcnel, casnet
    m.backbone = "vgg16"  # vgg16, alexnet, resnet18/34/50/101, efficientnet_lite0
    m.num_classes = config_dict.placeholder(int)  # K; unset: as many classes as the data has
    m.detect_classes = 8  # C, classes of the detection branch and nodes of the graph
    m.tap = config_dict.placeholder(str)  # the feature map F; unset: the backbone's own
    m.zero_init_residual = False  # a ResNet's blocks start as their shortcuts: each last norm's
    # scale from 0 (Goyal et al. 2017); for random weights, those that are loaded stay as they are
    m.freeze = "none"  # none; statistics: batch norm as loaded; backbone: all of it as loaded
    m.dtype = "float32"  # of the computation: float32 or bfloat16; parameters stay float32
    m.precision = "fast"  # of products: fast, as the device is made for them (TF32 on GPUs,
    # bfloat16 on TPUs), or exact, in float32
    m.maps_per_class = 4  # k of the cross-spatial pooling, M of wildcat
    m.pooling = "max"  # max (papers) or avg (the first author's notebook)
    m.map_weights = "raw"  # of the sentiment map: raw v (WSCNet Eq. 3) or softmax
    m.map_mean = False  # divide the sentiment map by C (the first author's notebook)
    m.coupling = "both"  # wscnet: both (Eq. 4), local or none (Table IV)
    m.edges = "cross"  # wsidnet: polarity bonus of Eq. 3: cross, same or none
    m.self_loops = "distance"  # wsidnet: distance (1/dis_ii) or identity
    m.gcn_widths = (512, 2048)  # wsidnet: of the stacked GCN
    m.readout = "mean"  # wsidnet: mean, flatten or max over the nodes
    m.holistic = "project"  # F_h on a backbone without fully-connected layers: project or pool;
    # embedding: on any backbone what its ImageNet classifier reads, with no layer between
    m.head = "linear"  # wsidnet: linear or mlp (4096 → 2048 → K)
    m.regress = ()  # ratings predicted beside the classes: ("valence", "arousal") of oasis and emod
    m.regress_mean = config_dict.placeholder(tuple)  # of the ratings; unset: in the training split
    m.regress_std = config_dict.placeholder(tuple)  # their standard deviations, likewise
    m.taps = ()  # probe: maps of one size that are read together; none: the backbone's last
    m.kmax = 0.2  # wildcat: highest places that are averaged; below 1 a share, else their number
    m.kmin = 0.2  # wildcat: lowest places
    m.alpha = 0.7  # wildcat: weight of the lowest
    m.bag = "max"  # mil: how places make an image's score: max, lse or noisy_or
    m.sharpness = 5.0  # mil: r of lse, from the mean (0) towards the maximum

    c.init = i = ConfigDict()
    i.weights = ""  # ImageNet weights: a .safetensors/.pth file, or efficientnet_lite0
    i.checkpoint = ""  # a finished run folder to start from
    i.scope = "all"  # of it: all; backbone; features, the backbone without fc6 and fc7; or
    # detection, the features and the detection branch

    c.input = p = ConfigDict()  # unset: what the weights expect, or what the run began with
    p.mean = config_dict.placeholder(tuple)  # of RGB values 0..255
    p.std = config_dict.placeholder(tuple)  # of the same, by which differences are divided
    p.interpolation = config_dict.placeholder(str)  # for enlarging: bilinear or bicubic

    c.data = d = ConfigDict()
    d.name = "fi"  # prepared set, with its builder config where it has some: oasis/fold1
    d.dir = "~/tensorflow_datasets"  # where prepared sets are
    d.source = ""  # the folder as its authors gave it: prepared from there on first use
    d.strict = False  # stop at the first missing or undecodable image
    d.workers = -1  # processes that decode; 0: threads of this one; -1: as many as feed the
    # accelerators, threads where there are none
    d.keep = 1.0  # GiB of decoded photographs kept for the next epochs, over all workers
    d.crops = 0  # with model.freeze=backbone: crops of each photograph that the backbone sees once
    # and for all, kept on disk; 0: fresh ones, seen anew in every epoch
    d.train_split = "train"  # whose images are learnt
    d.subset = ""  # of it only the images of this file: names, a line each, or a predictions.csv,
    # of which PCNN's rule removes those that the network there was in doubt of
    d.validation_split = ""  # picks the best checkpoint; empty: the last one counts
    d.test_split = "test"  # on which the report's numbers are
    d.image_size = 224  # side of the network's input, in pixels; 0: as the weights were trained
    d.class_target = "polarity"  # label or polarity, for the classification branch
    d.detect_target = "label"  # label or polarity, for the detection branch
    d.map = ""  # region or fixation_map, the true map that fcnel and casnet learn

    c.augment = a = ConfigDict()
    a.crop = "resized"  # of random size and ratio, then resized; or plain: of image_size
    a.scale = (0.08, 1.0)  # resized: area of the random crop
    a.ratio = (3 / 4, 4 / 3)  # resized: its width over height
    a.resize = 256  # plain: shorter side of the image before the crop, in pixels
    a.flip = 0.5  # probability of mirroring
    a.randaugment = ()  # (N, M): N operations at random on every image, of strength M; 9 is usual
    a.mixup = 0.0  # α: pairs of images are learnt as λ of one and 1 − λ of the other, λ from
    # Beta(α, α), as their targets are; 0: none, 0.2 is usual

    c.train = t = ConfigDict()
    t.batch_size = 32  # over all devices and hosts
    t.epochs = 60.0  # rounds through the training images
    t.steps = 0  # overrides epochs where not 0
    t.accumulate = 1  # micro-batches whose gradients make one update
    t.ema = 0.0  # decay of the running average of parameters that is evaluated; 0: none
    t.log_every = 10  # steps between two lines of the log
    t.validate_every = 1.0  # epochs between two looks at the validation split
    t.checkpoint_every = 500  # steps between two checkpoints

    c.log = g = ConfigDict()
    g.to = ("tensorboard",)  # where numbers go beside metrics.jsonl: tensorboard, wandb, mlflow

    c.optim = o = ConfigDict()
    o.name = "sgd"  # as both papers; or adamw, which wants a rate of about 1e-3
    o.lr = 0.01  # of new layers
    o.backbone_lr = 0.01  # of the backbone
    o.momentum = 0.9  # of sgd; β₁ of adamw
    o.weight_decay = 5e-4  # of all parameters
    o.schedule = "step"  # step, cosine or constant
    o.decay_every = 20.0  # epochs between steps
    o.decay_rate = 0.1  # by which a step multiplies both rates
    o.warmup = 0.0  # epochs in which the rates rise from 0
    o.clip = 0.0  # largest norm of the gradient; 0: no clipping

    c.loss = loss = ConfigDict()
    loss.class_weight = 1.0  # of the classification branch's cross-entropy
    loss.class_weights = ()  # of the classes in it: a number each, or balanced, so that rare
    # classes count as much as common ones; (): every image counts alike
    loss.detect_weight = 0.1  # λ of WSIDNet Eq. 7; 1 in WSCNet
    loss.detect = "cross_entropy"  # or polarity: −log of the mass on the image's polarity
    loss.distribution_weight = 0.0  # λ of Yang et al. 2017: (1 − λ) cross-entropy + λ KL from the
    # distribution that the image's label stands for, a Gaussian on the wheel of emotions
    loss.distribution_sigma = 0.45  # its width, in steps
    loss.distribution_over = "polarity"  # over the emotions of the label's polarity, or the wheel;
    # or votes, the raters' own, for polarity where the set has them (oasis, flickr_cc, instagram)
    loss.affect_weight = 1.0  # of model.regress: mean square of the standardised ratings

    c.eval = e = ConfigDict()
    e.batch_size = 64  # over all devices and hosts
    e.resize = 256  # shorter side before the crop, in pixels
    e.ten_crop = True  # four corners, centre and their mirrors; the single view is always reported
    e.examples = 12  # best, worst and random images shown in the report, each
    e.compare = ("centre_box", "random")  # maps scored beside the network's own, where regions or
    # fixations are: predicted_class, itti_koch, gbvs, … (jaxsent/baselines/saliency.py),
    # NAME=FOLDER of maps and NAME=FILE of boxes that were made elsewhere (docs/baselines.md)
    e.boxes = 0  # of such a file of boxes: the so many best of an image; 0: all
    e.cases = "recall first"  # order of the five cases of Fig. 12: or inclusion first
    e.maps = ""  # a folder for every map of the split, as 16-bit PNG and .npy
    return c.lock()
