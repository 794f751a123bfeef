import unicodedata

# Controls, direction marks, surrogates, private use, line ends: with them one name could pass as another.
_FORGEABLE = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})


def clean_name(text: str) -> str:
    """A name as people type it: NFKC, no control or direction characters, single spaces, none at the ends."""
    normal = unicodedata.normalize("NFKC", text)
    kept = "".join(" " if unicodedata.category(character) in _FORGEABLE else character for character in normal)
    return " ".join(kept.split())
