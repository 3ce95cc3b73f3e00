"""Pickles that mean harm: nothing of them runs, and the name that they wanted is told."""

import pickle

import pytest

from jaxsent.errors import UserError
from jaxsent.pretrained import torch_file
from tests.pretrained.torch_files import ORDERED, Call, Named, write_zip

ATTACKS = {
    "os.system": lambda f: Call(Named("os", "system"), f"touch {f}"),
    "posix.system": lambda f: Call(Named("posix", "system"), f"touch {f}"),
    "builtins.eval": lambda f: Call(Named("builtins", "eval"), f"open({str(f)!r}, 'w')"),
    "builtins.getattr": lambda f: Call(
        Call(Named("builtins", "getattr"), Named("pathlib", "Path"), "touch"), str(f)
    ),
    "__builtin__.open": lambda f: Call(Named("__builtin__", "open"), str(f), "w"),
    "pathlib.Path.touch": lambda f: Call(Named("pathlib", "Path.touch"), str(f)),
    "collections.OrderedDict.fromkeys": lambda f: Call(
        Named("collections", "OrderedDict.fromkeys"), str(f)
    ),
    "torch.load": lambda f: Call(Named("torch", "load"), str(f)),
    "torch._utils.importlib": lambda f: Named("torch._utils", "importlib"),
    "jaxsent.pretrained.torch_file.read": lambda f: Call(
        Named("jaxsent.pretrained.torch_file", "read"), str(f)
    ),
}


@pytest.mark.parametrize("name", ATTACKS)
def test_attacks_are_refused_by_name(write, tmp_path, name):
    mark = tmp_path / "mark"
    path = write({"weight": 1, "bad": ATTACKS[name](mark)})
    with pytest.raises(UserError, match=name.replace(".", r"\.")) as error:
        torch_file.read(path)
    assert "\n" not in str(error.value)
    assert not mark.exists()


def test_a_chain_behind_permitted_names_is_refused(write, tmp_path):
    mark = tmp_path / "mark"
    inner = Call(Named("os", "system"), f"touch {mark}")
    chain = Call(Named("torch._utils", "_rebuild_parameter"), Call(Named(*ORDERED), [["a", inner]]))
    with pytest.raises(UserError, match=r"os\.system"):
        torch_file.read(write({"a": chain}))
    assert not mark.exists()


def test_stack_global_is_refused_by_name(tmp_path):
    attack = b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x04true\x85R."
    assert pickle.loads(attack) == 0  # the attack works where nobody looks
    with pytest.raises(UserError, match=r"os\.system"):
        torch_file.read(write_zip(tmp_path / "s", attack, {}))


@pytest.mark.parametrize(
    "code",
    [
        b"\x80\x02ccollections\nOrderedDict\n(NX\x01\x00\x00\x00xK\x01s\x86b.",  # BUILD on a name
        b"\x80\x02ctorch\nSize\n}X\x08\x00\x00\x00__dict__}sb.",
        b"\x80\x02X\x02\x00\x00\x00osK\x01\x85R.",  # calls text
        b"\x80\x02ctorch\nFloatStorage\n)R.",  # calls a storage
        b"\x80\x02)\x81.",  # NEWOBJ
        b"\x80\x02(cos\nsystem\no.",  # OBJ
        b"(S'true'\nios\nsystem\n.",  # INST
        b"\x80\x02\x82\x01.",  # EXT1
        b"\x80\x02K\x01Q.",  # a number as persistent id
        b"\x80\x02}(" + b")" + b"\x85" * 200_000 + b"K\x01u.",  # hashing overflows the C stack
        b"\x80\x02h\x07.",  # memo that is not there
        b"\x80\x02u.",  # no mark
        b"\x80\x02}",  # no end
        b"\x80\x02\x8b\xff\xff\xff\x7f\x01.",  # a number of 2 GB
        b"\x80\x02]q\x00.",  # a list, not a dict
        b"",
    ],
)
def test_odd_pickles_are_refused(write, code):
    with pytest.raises(UserError) as error:
        torch_file.read(write(code))
    assert "\n" not in str(error.value)
