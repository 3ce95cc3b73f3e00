"""Every number of the papers' recipes, as the configs give it: key, value, and where it is said.

The sentences were read in the papers' text, so the test needs neither. What a paper leaves out, or
where its first author's code departs from it, stands in the config's docstring.
"""

import importlib

import jax
import numpy as np
import pytest

from jaxsent import models

IMPLEMENTATION = "WSCNet, IV-B1"
WSCNET = [
    ("model.name", "wscnet", "WSCNet, III"),
    ("model.backbone", "resnet101", f'{IMPLEMENTATION}: "pre-trained ResNet-101 on the ImageNet"'),
    ("model.tap", None, 'III-A: F is "the feature maps of the last convolutional layer"'),
    ("model.freeze", "none", '"end-to-end", III-C'),
    ("model.maps_per_class", 4, 'IV-C: "We set the hyper-parameter k = 4"'),
    ("model.pooling", "max", "Eq. 1: Gmax, global max pooling"),
    ("model.map_weights", "raw", "Eq. 3: v_c weighs the map of class c"),
    ("model.map_mean", False, "Eq. 3: a sum over the classes"),
    ("model.coupling", "both", "Eq. 4: the mean of F joined to U"),
    ("data.image_size", 448, f'{IMPLEMENTATION}: "crop a random 448 × 448 patch"'),
    ("augment.flip", 0.5, f'{IMPLEMENTATION}: "random horizontal flips"'),
    ("train.batch_size", 32, f'{IMPLEMENTATION}: "the mini-batch size for SGD is set to 32"'),
    ("optim.backbone_lr", 1e-3, f'{IMPLEMENTATION}: "the convolutional layers … 0.001"'),
    ("optim.lr", 1e-2, f'{IMPLEMENTATION}: "the last fully-connected layers on both branches …"'),
    ("optim.momentum", 0.9, f'{IMPLEMENTATION}: "momentum and weight decay are set to 0.9 and"'),
    ("optim.weight_decay", 5e-4, f'{IMPLEMENTATION}: "… 0.0005 respectively"'),
    ("optim.clip", 0.0, "not in the paper"),
    ("train.ema", 0.0, "not in the paper"),
    ("loss.class_weight", 1.0, "Eq. 7: L = L_dec + L_cls"),
    ("loss.detect_weight", 1.0, "Eq. 7: L = L_dec + L_cls"),
    ("loss.detect", "cross_entropy", "Eq. 2"),
    ("eval.ten_crop", True, f'{IMPLEMENTATION}: "the five crops and their horizontal reflections"'),
    # Not in the paper; the docstring of wscnet_fi names the sources.
    ("augment.crop", "resized", "the first author's code: RandomResizedCrop(448)"),
    ("augment.resize", 512, "ours, that of the test"),
    ("train.epochs", 25.0, "the first author's code"),
    ("optim.schedule", "step", "the first author's code"),
    ("optim.decay_every", 7.0, "the first author's code: StepLR(7, 0.1)"),
    ("optim.decay_rate", 0.1, "the first author's code: StepLR(7, 0.1)"),
    ("eval.resize", 512, "ours"),
]
DETAILS = "WSIDNet, 4.3"
WSIDNET = [
    ("model.name", "wsidnet", "WSIDNet, 3"),
    ("model.backbone", "vgg16", f'{DETAILS}: "VGG-16 as backbone … pre-trained … on ImageNet"'),
    ("model.tap", None, '3.1: F is "the feature maps of the last convolution layer"'),
    ("model.freeze", "none", '"joint training strategy", 3.3'),
    ("model.detect_classes", 8, "4.1: FI has eight emotion categories"),
    ("model.pooling", "max", "Eq. 1: Gmax, global max pooling"),
    ("model.edges", "cross", "Eq. 3: 1/dis + 1 where S_i · S_j < 0"),
    ("model.self_loops", "distance", "Eq. 3: 1/dis for the diagonal too"),
    ("data.image_size", 224, f'{DETAILS}: "into 224 × 224"'),
    ("augment.crop", "resized", f'{DETAILS}: "randomly crop and resize the input images"'),
    ("augment.flip", 0.5, f'{DETAILS}: "random horizontal flipped"'),
    ("optim.lr", 0.01, f'{DETAILS}: "The initial learning rate is 0.01"'),
    ("optim.backbone_lr", 0.01, f"{DETAILS}: one learning rate is told"),
    ("optim.momentum", 0.9, f'{DETAILS}: "Momentum is 0.9"'),
    ("optim.schedule", "step", f'{DETAILS}: "drops by a factor of 10 per 20 epoch"'),
    ("optim.decay_every", 20.0, f'{DETAILS}: "drops by a factor of 10 per 20 epoch"'),
    ("optim.decay_rate", 0.1, f'{DETAILS}: "drops by a factor of 10 per 20 epoch"'),
    ("optim.clip", 0.0, "not in the paper"),
    ("train.ema", 0.0, "not in the paper"),
    ("loss.class_weight", 1.0, "Eq. 7: L = L_class + λ L_detect"),
    ("loss.detect_weight", 0.1, f'{DETAILS}: "hyper-parameters λ to be 0.1"'),
    ("data.class_target", "polarity", "Table 1, 4.3: labels are converted to the sentiment"),
    # Not in the paper; docs/method.md and the docstring of wsidnet_fi say so.
    ("model.maps_per_class", 4, "WSCNet's k"),
    ("model.gcn_widths", (512, 2048), "ours; two layers to 2048 in the same group's code"),
    ("model.readout", "mean", "the same group's code"),
    ("model.head", "linear", "Eq. 6 alone"),
    ("train.batch_size", 32, "ours"),
    ("train.epochs", 60.0, "ours"),
    ("optim.weight_decay", 5e-4, "ours"),
    ("eval.ten_crop", True, "as WSCNet"),
    ("eval.resize", 256, "ours"),
]
ON_FI = [
    ("data.detect_target", "label", "4.1: FI has labels of eight emotions"),
    ("loss.detect", "cross_entropy", "Eq. 2"),
    ("init.checkpoint", "", "4.3: ImageNet alone"),
]
ELSEWHERE = [
    ("data.detect_target", "polarity", "4.3: labels of two classes"),
    ("loss.detect", "polarity", "ours"),
    ("init.checkpoint", "runs/wsidnet_fi", '4.3: "detection branch training parameters of FI"'),
    ("init.scope", "detection", '4.3: "as the initialization weight of other datasets"'),
]
# The author's own recipe, by the flags that wscnet_fi's docstring gives.
AUTHOR = {
    "model.pooling": "avg", "model.map_mean": "True", "train.batch_size": "10",
    "optim.lr": "1e-4", "optim.backbone_lr": "1e-4", "optim.weight_decay": "0",
    "loss.class_weight": "0.5", "loss.detect_weight": "0.5",
}  # fmt: skip

SETS = ("flickr_cc", "instagram", "twitter1", "twitter2", "emotionroi", "emod")
TRANSFER = ("flickr", "twitter1", "twitter2", "emotionroi")
BACKBONE = [row for row in WSIDNET if row[0] != "model.name"] + [
    ("model.name", "classifier", 'Table 2, "Backbone"'),
    ("init.checkpoint", "", "4.3: ImageNet alone"),
]
COMPARED = [row for row in WSCNET if row[0] not in ("model.name", "model.maps_per_class")]
OF_VGG = {"model.backbone": "vgg16", "data.image_size": 224, "augment.resize": 256,
          "eval.resize": 256}  # fmt: skip
RECIPES = {
    "wscnet_fi": WSCNET,
    **{f"wscnet_{name}": WSCNET for name in SETS},
    "wsidnet_fi": WSIDNET + ON_FI,
    "wsidnet_fi8": [row for row in WSIDNET if row[0] != "data.class_target"] + ON_FI,
    **{f"wsidnet_{name}": WSIDNET + ELSEWHERE for name in TRANSFER},
    "backbone_fi": BACKBONE,
    **{f"backbone_{name}": BACKBONE for name in TRANSFER},
    # IV-B2: "also based on ResNet-101 with the same input size of 448 × 448 as our method"
    "cam": [*COMPARED, ("model.name", "cam", "IV-B2")],
    "spn": [*COMPARED, ("model.name", "spn", "IV-B2")],
    "mil": [*COMPARED, ("model.name", "mil", "II-B"), ("model.bag", "max", "Oquab et al. 2015")],
    "distribution": [
        *COMPARED,
        ("model.name", "classifier", 'IV-B2: "the classification performance using ResNet"'),
        ("model.holistic", "embedding", "ResNet-101 with another last layer"),
        ("loss.distribution_weight", 0.8, "Yang et al.'s code, prototxt"),
        ("loss.distribution_sigma", 0.45, "Yang et al.'s code, softmax_my_kl_loss_layer"),
    ],
    "finetuned": [
        *(row for row in COMPARED if row[0] not in OF_VGG),
        ("model.name", "classifier", 'IV-B2: "fine-tuned on the affective datasets"'),
        ("model.holistic", "embedding", "VGG-16 with another last layer"),
        *((key, value, "VGG-16's own; WSCNet does not tell") for key, value in OF_VGG.items()),
    ],
    "wildcat": [
        *COMPARED,
        ("model.name", "wildcat", "IV-B2"),
        ("model.maps_per_class", 8, "WILDCAT's authors' run of VOC 2007"),
        ("model.kmax", 0.2, "WILDCAT's authors' run of VOC 2007"),
        ("model.kmin", 0.2, "WILDCAT's authors' run of VOC 2007"),
        ("model.alpha", 0.7, "WILDCAT's authors' run of VOC 2007"),
    ],
}


def value(config, key):
    for part in key.split("."):
        config = config[part]
    return config


@pytest.mark.parametrize("name", RECIPES)
def test_a_config_is_its_papers_recipe(name):
    config = importlib.import_module(f"configs.{name}").get_config()
    wrong = {
        key: f"{value(config, key)!r}, expected {expected!r} ({source})"
        for key, expected, source in RECIPES[name]
        if value(config, key) != expected
    }
    assert not wrong


@pytest.mark.parametrize("name", RECIPES)
def test_no_key_is_pinned_twice(name):
    keys = [key for key, *_ in RECIPES[name]]
    assert len(keys) == len(set(keys))


def test_the_authors_recipe_stands_in_the_runbook():
    flags = " ".join(importlib.import_module("configs.wscnet_fi").__doc__.split())
    for key, text in AUTHOR.items():
        assert f"--config.{key}={text}" in flags


@pytest.mark.parametrize(
    ("name", "phrase"),
    [
        ("wscnet_fi", "shorter side of 512 (the paper leaves out the size)"),
        ("wscnet_fi", "RandomResizedCrop(448)"),
        ("wscnet_fi", "--config.augment.crop=plain"),
        ("wscnet_fi", "/10 every 7 epochs for 25 epochs"),
        ("wsidnet_fi", "batch size, weight decay and the number of epochs: 32, 5e-4 and 60 here"),
        ("wsidnet_fi", "ten crops of 224 from a shorter side of 256"),
    ],
)
def test_what_a_recipe_adds_to_its_paper_is_said(name, phrase):
    assert phrase in " ".join(importlib.import_module(f"configs.{name}").__doc__.split())


def test_new_layers_start_as_the_paper_says():
    """WSCNet, IV-B1: "Gaussian distributions with mean 0 and standard deviations 0.01"."""
    model = models.build("wscnet", 8, backbone="alexnet")
    variables = jax.jit(model.init)(jax.random.key(0), np.zeros((1, 64, 64, 3), np.float32))
    params = variables["params"]
    for layer in (params["detector"]["conv"], params["classifier"]):
        assert np.std(layer["kernel"]) == pytest.approx(0.01, rel=0.05)
        assert np.mean(layer["kernel"]) == pytest.approx(0, abs=1e-3)
        assert not np.any(layer["bias"])
