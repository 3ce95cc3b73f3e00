"""Write tests/reference/training_*.npz: two training steps of every network by PyTorch.

    PYTHON_WITH_TORCH benchmarks/make_training_reference.py [CASE …]

Needs torch and numpy alone; made with torch 2.13.0 on a CPU, in float64, so that what is compared
is the rounding of the other side. Networks are in torch_networks.py, cases in
tests/training/cases.py, weights and images come from tests/tensors.py. Dropout drops the same
channels every time: masks of two libraries' chance cannot agree.

Each file holds the loss terms and the gradient's norm of each step, and for every parameter and
batch statistic a sketch (tests.tensors.sketch) of how far the steps moved it.
"""

import sys
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F

sys.path.insert(0, str(Path(__file__).resolve().parent))
from torch_networks import NETWORKS, reference_name

from tests import tensors
from tests.training import cases

OUT = Path(__file__).resolve().parents[1] / "tests" / "reference"


def losses(case, out, batch):
    """The terms of Eq. 7, or the loss of a true map: means over the batch."""
    if case.network in ("fcnel", "casnet"):
        truth = torch.from_numpy(batch["region"])[:, None].double() / 255
        found = out.get("map_logits", out.get("sentiment_map"))
        truth = F.adaptive_avg_pool2d(truth, found.shape[1:])[:, 0]
        if "map_logits" in out:
            loss = F.binary_cross_entropy_with_logits(found, truth)
        else:
            loss = F.mse_loss(found, truth) / 2
        return {"map_loss": loss, "loss": loss}
    terms = {"class_loss": F.cross_entropy(out["class_logits"], target(batch, case.class_target))}
    total = terms["class_loss"]
    if "detect_logits" in out:
        truth = target(batch, case.detect_target)
        if case.detect == "polarity":
            same = torch.tensor(cases.POSITIVE)[None] == truth[:, None]
            mass = (out["detect_logits"].softmax(1) * same).sum(1)
            terms["detect_loss"] = -mass.log().mean()
        else:
            terms["detect_loss"] = F.cross_entropy(out["detect_logits"], truth)
        total = total + case.detect_weight * terms["detect_loss"]
    return terms | {"loss": total}


def target(batch, name):
    return torch.from_numpy(batch[name]).long()


def reference(name, case):
    """Two steps -> {array name: array} to store."""
    model = NETWORKS[case.network](case).double().train()
    names = {k: reference_name(case, k) for k in model.state_dict() if "num_batches" not in k}
    start = {
        ours: cases.initial(theirs, tensors.tensor(theirs, tuple(model.state_dict()[ours].shape)))
        for ours, theirs in names.items()
    }
    model.load_state_dict({k: torch.from_numpy(v) for k, v in start.items()}, strict=False)
    groups = {"backbone": [], "new": []}
    for key, parameter in model.named_parameters():
        groups["backbone" if key.startswith("backbone.") else "new"].append(parameter)
    optimizer = torch.optim.SGD(
        [
            {"params": groups["backbone"], "lr": case.rate * cases.BACKBONE_LR},
            {"params": groups["new"], "lr": case.rate * cases.LR},
        ],
        momentum=cases.MOMENTUM,
        weight_decay=cases.WEIGHT_DECAY,
    )
    batch = tensors.batch(0, case.batch, case.size, case.classes)
    mean, std = torch.tensor(cases.MEAN).double(), torch.tensor(cases.STD).double()
    images = ((torch.from_numpy(batch["image"]).double() - mean) / std).permute(0, 3, 1, 2)
    stored = {}
    for step in range(cases.STEPS):
        optimizer.zero_grad()
        terms = losses(case, model(images), batch)
        terms["loss"].backward()
        squares = [p.grad.square().sum() for p in model.parameters()]
        terms["gradient_norm"] = torch.stack(squares).sum().sqrt()
        optimizer.step()
        for key, value in terms.items():
            stored.setdefault(f"step/{key}", np.zeros(cases.STEPS))[step] = value.item()
    moved = {}
    for key, value in model.state_dict().items():
        if key in names:
            moved[names[key]] = tensors.sketch(names[key], value.numpy() - start[key])
    order = sorted(moved)
    stored["names"] = np.array(order)
    stored["lengths"] = np.array([len(moved[k]) for k in order], np.int32)
    stored["sketches"] = np.concatenate([moved[k] for k in order]).astype(np.float32)
    print(name, {k: v.tolist() for k, v in stored.items() if k.startswith("step/")}, flush=True)
    return stored


if __name__ == "__main__":
    for name in sys.argv[1:] or cases.CASES:
        stored = reference(name, cases.CASES[name])
        np.savez_compressed(OUT / f"training_{name}.npz", **stored)
