"""What lies in a user's folder and is not of the set, so that nothing is passed over in silence."""

import os
from collections.abc import Container, Iterable

from tfds_builders.found import readable
from tfds_builders.images import SUFFIXES, UNREAD_SUFFIXES
from tfds_builders.survey import Survey


def tell(names: Iterable[str], used: Container[str], listed: bool, survey: Survey) -> None:
    """Name the files that are not `used` in `survey`, by what they are.

    `listed`: a table decides what is of the set, so a photograph beside it is no loss.
    """
    photographs = survey.unlisted if listed else survey.outside
    for name in sorted(name for name in names if name not in used):
        suffix = os.path.splitext(name)[1].lower()
        kinds = ((SUFFIXES, photographs), (UNREAD_SUFFIXES, survey.unread))
        kind = next((kind for suffixes, kind in kinds if suffix in suffixes), survey.others)
        kind.append(readable(name))
