"""Which OpenMoji drawings a scene may hold, by hexadecimal code point.

A family is one drawing with its variants. A scene draws a family of its class, then a variant of
its own split, so every family is seen in training while the variants of `test` (skin tones, and
near-identical drawings) are held out. Drawings without a face or a colour of their own (fist,
balloon, snake, mountain) are not among them: small networks do not tell them from tools.
"""

from typing import NamedTuple


class Family(NamedTuple):
    """One drawing: its name and the code points that `train` and `test` scenes may use."""

    name: str
    train: tuple[str, ...]
    test: tuple[str, ...]


def _same(name: str, code: str) -> Family:
    return Family(name, (code,), (code,))


def _tones(name: str, code: str) -> Family:
    """Six skin tones: yellow, light, medium and dark train, the two between them test."""
    train = (code, f"{code}-1F3FB", f"{code}-1F3FD", f"{code}-1F3FF")
    return Family(name, train, (f"{code}-1F3FC", f"{code}-1F3FE"))


AFFECTIVE = {
    "amusement": (
        _same("face with tears of joy", "1F602"),
        _same("rolling on the floor laughing", "1F923"),
        Family("laughing face", ("1F606", "1F601"), ("1F604",)),
        Family("face with tongue", ("1F61C", "1F61D"), ("1F61B",)),
        _same("zany face", "1F92A"),
        _same("clown face", "1F921"),
        _same("disguised face", "1F978"),
        _same("cat with tears of joy", "1F639"),
    ),
    "anger": (
        _same("angry face", "1F620"),
        _same("enraged face", "1F621"),
        _same("face with symbols on mouth", "1F92C"),
        _same("face with steam from nose", "1F624"),
        Family("angry devil", ("1F47F",), ("1F608",)),
        _same("goblin", "1F47A"),
        _same("anger symbol", "1F4A2"),
        _same("pouting cat", "1F63E"),
    ),
    "awe": (
        _same("exploding head", "1F92F"),
        _same("star-struck", "1F929"),
        _same("milky way", "1F30C"),
        _same("rainbow", "1F308"),
        _same("ringed planet", "1FA90"),
        Family("sunrise", ("1F304",), ("1F305",)),
        _same("wave", "1F30A"),
    ),
    "contentment": (
        _same("relieved face", "1F60C"),
        Family("smiling face with smiling eyes", ("1F60A",), ("263A",)),
        _same("smiling face with halo", "1F607"),
        _same("smiling face with hearts", "1F970"),
        _tones("person in lotus position", "1F9D8"),
        _same("beach with umbrella", "1F3D6"),
        _same("desert island", "1F3DD"),
        Family("flower", ("1F338", "1F33C"), ("1F33A",)),
    ),
    "disgust": (
        _same("nauseated face", "1F922"),
        _same("face vomiting", "1F92E"),
        _same("pile of poo", "1F4A9"),
        _same("fly", "1FAB0"),
        _same("cockroach", "1FAB3"),
        _same("microbe", "1F9A0"),
        _same("rat", "1F400"),
    ),
    "excitement": (
        _same("partying face", "1F973"),
        _same("party popper", "1F389"),
        _same("confetti ball", "1F38A"),
        Family("fireworks", ("1F386",), ("1F387",)),
        _same("ferris wheel", "1F3A1"),
        _same("trophy", "1F3C6"),
        _same("carousel horse", "1F3A0"),
        _tones("man dancing", "1F57A"),
        _tones("woman dancing", "1F483"),
    ),
    "fear": (
        _same("face screaming", "1F631"),
        _same("fearful face", "1F628"),
        _same("screaming cat", "1F640"),
        _same("ghost", "1F47B"),
        Family("skull", ("1F480",), ("2620",)),
        _same("spider", "1F577"),
        Family("zombie", ("1F9DF", "1F9DF-200D-2642-FE0F"), ("1F9DF-200D-2640-FE0F",)),
        _tones("vampire", "1F9DB"),
        _same("jack-o-lantern", "1F383"),
        _same("bat", "1F987"),
    ),
    "sadness": (
        _same("crying face", "1F622"),
        _same("loudly crying face", "1F62D"),
        _same("disappointed face", "1F61E"),
        _same("pensive face", "1F614"),
        Family("frowning face", ("1F641",), ("2639",)),
        _same("broken heart", "1F494"),
        _same("wilted flower", "1F940"),
        _same("crying cat", "1F63F"),
        _tones("person frowning", "1F64D"),
    ),
}

# Nothing here may resemble a drawing above: no flower, parasol, animal or toy.
_NEUTRAL = {
    "tools": ("1F527 1F528 1FA9A 1FA9B 1F529 2699 1F5DC 1F517 1F9F0 1FA9C"),
    "office": (
        "1F4CE 1F587 1F4CC 1F4CF 1F4D0 2702 1F5C3 1F5C4 1F4C1 1F4C5 1F4CA 1F4CB 1F4D2 1F4D6 "
        "1F4DA 1F58A 270F 1F4BC 1F4BB 1F5A5 1F5A8 2328 1F5B1 1F4F1 260E 1F4DE 1F4E0 1F4E6 "
        "2709 1F4EB"
    ),
    "devices": (
        "1F50B 1F50C 1F4A1 1F526 1F511 1F512 23F0 231A 1F4F7 1F4FA 1F4FB 1F52C 1F9EA 1F9EE"
    ),
    "household": (
        "1FA91 1F6CB 1F6CF 1F6AA 1FA9F 1FA9E 1F6BF 1F9FA 1F9F9 1FAA3 1F6D2 1F9F5 1F9F7 1F9F1"
    ),
    "vehicles": (
        "1F697 1F699 1F68C 1F69A 1F69C 1F6B2 1F6F4 1F6F5 1F682 1F6A2 26F5 2708 1F681 1F6A6 1F6E2"
    ),
    "food": (
        "1F34E 1F34C 1F347 1F955 1F33D 1F35E 1F9C0 1F95A 1F957 1F35A 1F95B 1F37D 1F944 1F374 1FAD6"
    ),
    "plants": ("1F335 1FAB4 1F333 1F332 1F33F 1F341 1F344 1FAB5"),
    "houses and clothes": (
        "1F3E0 1F3E2 1F3EB 1F3ED 1F45F 1F455 1F456 1F9E6 1F9E2 1F453 1F302 1F392"
    ),
}
NEUTRAL = tuple(code for group in _NEUTRAL.values() for code in group.split())
