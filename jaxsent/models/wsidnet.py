"""WSIDNet: Weakly Supervised Interaction Discovery Network (Wu et al.)."""

from typing import ClassVar

import flax.linen as nn
import jax.numpy as jnp

from jaxsent import emotions
from jaxsent.models import pooling
from jaxsent.models.backbone import Array
from jaxsent.models.gcn import StackedGCN, read_out
from jaxsent.models.network import NEW, Detector, Holistic, Network

GRAPHS = {
    len(emotions.MIKELS): (emotions.MIKELS, emotions.WHEEL),
    len(emotions.EMOTIONROI): (emotions.EMOTIONROI, emotions.EMOTIONROI_WHEEL),
}


class WSIDNet(Network):
    """Emotion regions as nodes of a sentiment graph, fused with the holistic feature.

    Attributes:
      detect_classes: C, nodes of the graph: Mikels' 8, or EmotionROI's 6 (our graph).
      maps_per_class, pooling: as in WSCNet.
      map_weights, map_mean: how `sentiment_map` sums the class maps. It is an output to look at
        and to measure; nothing in WSIDNet reads it.
      edges, self_loops: the sentiment graph (Eq. 3), see `emotions.sentiment_graph`.
      gcn_widths: widths of the stacked GCN (Eq. 4).
      readout: "mean", "flatten" or "max" over the nodes.
      holistic: "project" or "pool", for backbones without fully-connected layers; "embedding": no
        layer behind those of any backbone.
      head: "linear", or "mlp" with a hidden layer of 2048.
    """

    READS_EMBEDDING: ClassVar[bool] = True

    detect_classes: int = 8
    maps_per_class: int = 4
    pooling: str = "max"
    map_weights: str = "raw"
    map_mean: bool = False
    edges: str = "cross"
    self_loops: str = "distance"
    gcn_widths: tuple[int, ...] = (512, 2048)
    readout: str = "mean"
    holistic: str = "project"
    head: str = "linear"

    def setup(self):
        classes, wheel = GRAPHS[self.detect_classes]
        graph = emotions.sentiment_graph(self.edges, self.self_loops, classes, wheel)
        adjacency = emotions.normalize_adjacency(graph)
        constant = tuple(map(tuple, adjacency.tolist()))
        self.detector = Detector(self.detect_classes, self.maps_per_class, self.pooling, self.dtype)
        self.gcn = StackedGCN(constant, tuple(self.gcn_widths), self.dtype)
        self.projection = Holistic(self.holistic, self.backbone.FULLY_CONNECTED, dtype=self.dtype)
        if self.head == "mlp":
            self.hidden = nn.Dense(2048, dtype=self.dtype)
        self.classifier = nn.Dense(self.num_classes, dtype=jnp.float32, kernel_init=NEW)

    def __call__(self, images: Array, train: bool = False) -> dict[str, Array]:
        """(B, H, W, 3) normalised -> the dict of WSCNet, and nodes (B, C, n), interaction F_s,
        holistic F_h."""
        features, taps = self.tapped(images, train, beyond=True)
        v, maps = self.detector(features)
        nodes = pooling.node_features(maps, features)
        interaction = read_out(self.gcn(nodes), self.readout)
        holistic = self.projection(self.embedded(taps, train))
        fused = jnp.concatenate([holistic, interaction], axis=-1)
        if self.head == "mlp":
            fused = nn.relu(self.hidden(fused)).astype(jnp.float32)
        return {
            "class_logits": self.classifier(fused),
            "detect_logits": v,
            "class_maps": maps,
            "sentiment_map": pooling.sentiment_map(v, maps, self.map_weights, self.map_mean),
            "nodes": nodes,
            "interaction": interaction,
            "holistic": holistic,
        } | self.rated(fused)

    def torch_names(self) -> dict[str, str]:
        """Names of the reference implementation (shared/reference/README.md)."""
        names = {"detector/conv": "detector", "classifier": "classifier"}
        names["projection/fc"] = "vgg_classifier.6"
        if self.head == "mlp":
            names["hidden"] = "hidden"
        names |= {f"gcn/layer{i}": f"gcn.{i}" for i in range(len(self.gcn_widths))}
        for flax_name, torch_name in self.backbone.torch_names().items():
            if flax_name != "fc8":
                vgg_name = torch_name.replace("classifier.", "vgg_classifier.")
                names[f"backbone/{flax_name}"] = vgg_name
        return names
