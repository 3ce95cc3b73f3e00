"""Keras's `.h5` of VGG-16, with and without top.

HDF5 can do more than hold numbers: a link may lead to another file, an array may lie in one, be
assembled from several, or unfold from a few bytes. Each is refused before it is followed.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from jaxsent.errors import UserError, shown
from jaxsent.pretrained.names import from_keras

DEEPEST = 4  # groups above an array: model_weights/fc1/fc1/kernel:0 has three
MOST = 10_000  # objects; Keras's VGG-16 has about a hundred


class _Odd(Exception):
    """What no file of Keras has."""


def read(path: Path) -> dict[str, np.ndarray]:
    """-> {torchvision's name: array in torch's layout}.

    Raises:
      UserError: damaged, of another network, or with numbers that are not in the file itself; or
        h5py is not installed.
    """
    try:
        import h5py
    except ImportError:
        raise UserError(f"{path}: reading .h5 needs h5py: pip install h5py") from None
    size, state = path.stat().st_size, {}
    try:
        with h5py.File(path, "r") as file:
            root = _child(file, "model_weights") if "model_weights" in file else file
            for name, dataset in _datasets(root, h5py):
                size -= _judged(name, dataset, size)
                layer, leaf = name[0], name[-1]
                kind = "kernel" if "kernel" in leaf or "_W" in leaf else "bias"
                array = dataset[()]
                try:
                    torch_name, array = from_keras(layer, kind, array)
                except (IndexError, ValueError):
                    raise _Odd(f"{shown(layer)} is no VGG-16's, with {array.shape}") from None
                state[torch_name] = array
    except KeyError as error:
        raise UserError(
            f"{path}: layer {shown(error)} is none of VGG-16's; no other .h5 is read."
        ) from None
    except _Odd as error:
        raise UserError(f"{path}: {error}.") from None
    except Exception as error:  # h5py raises whatever HDF5 trips over in a damaged file
        raise UserError(f"{path}: no HDF5 file, or cut short ({shown(error)}).") from None
    return state


def _datasets(root, h5py) -> Iterator[tuple[tuple[str, ...], object]]:
    """Every array below a group, under the names that lead to it."""
    groups, count = [((), root)], 0
    while groups:
        names, group = groups.pop()
        for name in group:
            count += 1
            if count > MOST or len(names) > DEEPEST:
                raise _Odd(
                    "has more groups, or groups in groups, than VGG-16; no other .h5 is read"
                )
            child = _child(group, name)
            if isinstance(child, h5py.Group):
                groups.append(((*names, name), child))
            elif isinstance(child, h5py.Dataset):
                yield (*names, name), child


def _child(group, name: str):
    """What `name` is in a group, if it is there and nowhere else."""
    import h5py

    if not isinstance(group.get(name, getlink=True), h5py.HardLink):
        raise _Odd(f"{shown(name)} leads elsewhere; expected weights that are in the file")
    return group[name]


def _judged(names: tuple[str, ...], dataset, left: int) -> int:
    """Bytes of an array that is whole, and in the file as Keras writes it.

    `left` are those that the file may still hold: no two arrays share bytes.
    """
    import h5py

    name, created = shown("/".join(names)), dataset.id.get_create_plist()
    if dataset.dtype.kind not in "fiu" or dataset.shape is None:
        raise _Odd(f"expected numbers in {name}, found {shown(dataset.dtype)}")
    plain = created.get_layout() in (h5py.h5d.CONTIGUOUS, h5py.h5d.COMPACT)
    if not plain or created.get_external_count() or created.get_nfilters():
        raise _Odd(f"the numbers of {name} are outside it, or compressed; save it anew with Keras")
    if not dataset.nbytes == dataset.id.get_storage_size() <= left:
        raise _Odd(f"{name} has a size that lies: {dataset.nbytes:,} bytes are not in the file")
    return dataset.nbytes
