"""Which image each unit of a class saw the most in (WSCNet, Fig. 8)."""

import numpy as np

from jaxsent.evaluation.examples import pictured
from jaxsent.report.units import Unit


class Units:
    """Keeps, for every class and each of its k units, the image of that class it rose highest in.

    A unit is one of the k maps whose mean is a class map (Detector).
    """

    def __init__(self):
        self.best: dict[tuple[int, int], tuple[float, Unit]] = {}

    def offer(self, batch: dict, out: dict) -> None:
        """Takes what it needs of one batch: unit_maps (b, h, w, C, k) and map_truth (b,) of `out`,
        photograph, file and perhaps a region of `batch`.
        """
        if "unit_maps" not in out:
            return
        for i in np.flatnonzero(batch["mask"] & (out["map_truth"] >= 0)):
            label = int(out["map_truth"][i])
            for unit, height in enumerate(out["unit_maps"][i, ..., label, :].max((0, 1))):
                if height > self.best.get((label, unit), (-np.inf,))[0]:
                    image, region = pictured(batch, i)
                    units = out["unit_maps"][i, ..., label, unit].copy()
                    shown = Unit(label, unit, image, units, region, str(batch["file"][i]))
                    self.best[label, unit] = float(height), shown

    def chosen(self) -> list[Unit]:
        """The kept ones, by class and unit."""
        return [self.best[key][1] for key in sorted(self.best)]
