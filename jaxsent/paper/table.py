"""What a table of a paper is: cells, each with the paper's number and the runs that give ours."""

from typing import NamedTuple

GEOMETRY = "whole"
"""What maps are of in the results that a table takes: the whole image, scored at its own size.

Results of other geometries, as of crops, are not of the same pixels and count as missing.
"""
MAPS = ("sentiment_map", "attention", "specificity")
"""Measures of maps, by the beginning of their paths."""

DETECTORS = {"sentibank": 1200, "deepsentibank": 2089}
"""Detectors whose outputs come from the user -> how many adjective noun pairs each tells.

SentiBank: Borth et al., "Large-scale visual sentiment ontology and detectors using adjective noun
pairs", ACM Multimedia 2013. DeepSentiBank: Chen et al., arXiv:1410.8586.
"""


OUTSIDE_MAPS = {
    "saliency": "a folder of maps named as the set's images",
    "faster_rcnn": "a .csv or .json of boxes",
}
"""Rows of maps that come from the user, by their names in `eval.compare` -> what is expected."""


REGIONAL = ("affective_regions", "global_local")
"""Rows by which a trained network looks at a photograph and at a region of it."""


class Run(NamedTuple):
    """A run that fills a cell, or a part of one.

    Attributes:
      name: of its folder.
      config: FILE.py or FILE.py:PART in configs/; for a baseline the set's name.
      options: config keys on the command line; of a baseline its options, as target=label.
      weights: the backbone whose ImageNet weights it starts from, "" for what the config says.
      needs: a run that it starts from.
      baseline: features for an SVM instead of a network: gch, sentibank, a backbone's name, or
        "run" for those of the run that it needs; or one of REGIONAL, by that run's network.
      sure: it trains on the part of its set that `needs` is sure of (PCNN).
      tested_on: another set than that of the config, "" for its own test split.
      outside: one of OUTSIDE_MAPS that is scored beside its own, "" for none.
    """

    name: str
    config: str
    options: tuple[str, ...] = ()
    weights: str = ""
    needs: "Run | None" = None
    baseline: str = ""
    tested_on: str = ""
    sure: bool = False
    outside: str = ""

    @property
    def data(self) -> str:
        """The set: what the config's name ends in, or its part, as in wildcat.py:emod."""
        if self.baseline:
            return self.config.partition("/")[0]
        stem, _, part = self.config.partition(".py")
        return stem.partition("_")[2] or part.removeprefix(":") or "fi"


class Cell(NamedTuple):
    """One number: where it stands, what the paper has, what ours is.

    Attributes:
      row, column: as in the paper.
      paper: its number, None where it is not known.
      runs: whose mean is ours; none where we have no such method.
      measure: path into results.json; the first that a run has counts.
    """

    row: str
    column: str
    paper: float | None
    runs: tuple[Run, ...] = ()
    measure: tuple[str, ...] = ("accuracy",)


class Table(NamedTuple):
    """A table of a paper.

    Attributes:
      name: as typed.
      title: what it shows and where it stands.
      cells: row by row.
      unit: "%" where the numbers are shares shown as percentages.
      ranked: rows that have a last column AVG, their mean rank among themselves over the other
        columns (WSCNet, Table V).
    """

    name: str
    title: str
    cells: tuple[Cell, ...]
    unit: str = "%"
    ranked: tuple[str, ...] = ()

    @property
    def rows(self) -> list[str]:
        """Names of the rows, in order."""
        return list(dict.fromkeys(cell.row for cell in self.cells))

    @property
    def columns(self) -> list[str]:
        """Names of the columns, in order."""
        return list(dict.fromkeys(cell.column for cell in self.cells))
