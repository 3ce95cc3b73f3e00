"""Builder of Instagram (Katsurai and Satoh) from a user's folder."""

from typing import ClassVar

import tensorflow_datasets as tfds

from jaxsent.emotions import POLARITY
from tfds_builders.card import Card
from tfds_builders.votes import VotesBuilder


class Builder(VotesBuilder):
    """DatasetBuilder for Instagram."""

    CARD = Card(
        title="photographs of Instagram, positive or negative by three workers",
        images=42_856,
        classes=POLARITY,
        layout=(
            "a folder with tables of image ids and of the workers for each polarity (*.csv), and "
            "the photographs by id (<id>.jpg) in it or below"
        ),
        source=(
            "The tables are at https://mm.doshisha.ac.jp/en/research_projects/2016-imagesentiment "
            "(Katsurai and Satoh, ICASSP 2016); ask the authors for the photographs."
        ),
        homepage="https://mm.doshisha.ac.jp/en/research_projects/2016-imagesentiment",
        licence="The tables from their authors; the photographs from theirs.",
    )
    MANUAL_DOWNLOAD_INSTRUCTIONS = CARD.instructions
    VERSION = tfds.core.Version("1.1.0")
    RELEASE_NOTES: ClassVar = {
        "1.0.0": "The workers' majority, balanced, 90/10.",
        "1.1.0": "The workers' votes.",
    }
