"""Numbers and results as words: percentages, durations, the page's first sentence."""

import math

from jaxsent import emotions

NETWORKS = {
    "wscnet": "WSCNet",
    "wsidnet": "WSIDNet",
    "cam": "CAM",
    "probe": "A linear probe",
    "wildcat": "WILDCAT",
    "spn": "SPN",
    "mil": "MIL",
    "fcnel": "FCNEL",
    "casnet": "CASNet",
    "gch": "A global colour histogram",
    "lch": "Local colour histograms",
    "principles": "Principles of art",
    "sentibank": "SentiBank",
    "deepsentibank": "DeepSentiBank",
    "imagenet_alexnet": "AlexNet's ImageNet features",
    "imagenet_vgg16": "VGG-16's ImageNet features",
    "imagenet_resnet101": "ResNet-101's ImageNet features",
    "affective_regions": "A network with affective regions",
    "global_local": "A network with salient regions",
    "vgg16": "VGG-16",
    "alexnet": "AlexNet",
    "resnet18": "ResNet-18",
    "resnet34": "ResNet-34",
    "resnet50": "ResNet-50",
    "resnet101": "ResNet-101",
    "efficientnet_lite0": "EfficientNet-Lite0",
    "efficientnet_lite1": "EfficientNet-Lite1",
    "efficientnet_lite2": "EfficientNet-Lite2",
}
THIN = "\N{NARROW NO-BREAK SPACE}"


def percent(share: float) -> str:
    """0.912 -> 91.2 %."""
    return f"{share * 100:.1f}{THIN}%"


def interval(bounds) -> str:
    """(0.887, 0.933) -> 88.7–93.3 %."""
    return f"{bounds[0] * 100:.1f}–{percent(bounds[1])}"


def duration(seconds: float) -> str:
    """3725 -> 1 h 2 min; below a minute in seconds."""
    if seconds < 60:
        return f"{seconds:.3g} s"
    minutes = round(seconds / 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"


def known(results: dict, key: str) -> bool:
    """Is there a number, or a list of numbers, under the key?"""
    value = results.get(key)
    values = value if isinstance(value, list | tuple) else [value]
    return bool(values) and all(isinstance(v, int | float) and math.isfinite(v) for v in values)


def network(results: dict) -> str:
    """The network's name as the papers write it."""
    name = str(results.get("model") or "The network")
    if name == "classifier":  # the plain backbone
        name = str(results.get("backbone") or name)
    return NETWORKS.get(name, name)


def kind(classes) -> str:
    """What the classes are: emotions where all of them are known ones, else classes."""
    return "emotions" if set(classes) <= {*emotions.MIKELS, *emotions.EMOTIONROI} else "classes"


def summary(results: dict) -> str:
    """One or two sentences that say what the run achieved, for a reader who knows nothing."""
    if not known(results, "accuracy"):
        maps = results.get("sentiment_map") or {}
        if not known(maps, "f"):
            return f"{network(results)}: no accuracy was measured."
        return (
            f"{network(results)}, which learnt the true maps of its training images and names no "
            f"class, finds the region that evokes the emotion with an F-score of {maps['f']:.2f}."
        )
    classes = list(results.get("classes") or [])
    images = {"train": "training images", "validation": "validation images"}.get(
        results.get("split"), "test images it has never seen"
    )
    count = f"{results['count']:,} " if known(results, "count") else ""
    guess = []
    if known(results, "accuracy_interval"):
        guess.append(f"95{THIN}% interval {interval(results['accuracy_interval'])}")
    if set(classes) == set(emotions.POLARITY):
        does = "tells positive from negative for"
    elif classes:
        does = f"names the right one of {len(classes)} {kind(classes)} for"
    else:
        does = "names the right class for"
    chance = 1 / len(classes) if classes else 0
    if known(results, "majority") and results["majority"] > chance + 0.05:
        guess.append(f"always naming the most frequent class gives {percent(results['majority'])}")
    elif classes:
        guess.append(f"guessing gives {percent(chance)}")
    text = f"{network(results)} {does} {percent(results['accuracy'])} of {count}{images}"
    text += f" ({'; '.join(guess)})." if guess else "."
    maps = results.get("sentiment_map") or {}
    if known(maps, "f"):
        text += (
            " Its sentiment maps, learnt from image labels alone, find the region that evokes the "
            f"emotion with an F-score of {maps['f']:.2f}"
        )
        box = (maps.get("baselines") or {}).get("centre_box") or {}
        text += f" (a box in the image’s centre: {box['f']:.2f})." if known(box, "f") else "."
    return text
