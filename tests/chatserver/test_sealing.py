import pytest

from chatserver.sealing import CannotOpen, CannotSeal, Sealer

OLD, NEW, OTHER = "o" * 32, "n" * 40, "x" * 32
KEY = "sk-canary-0123456789"
HERE = {"server": "id-1", "origin": "https://a.example:443"}


def test_what_was_sealed_opens_where_it_was_sealed_for() -> None:
    sealer = Sealer([OLD])
    sealed = sealer.seal(KEY, **HERE)
    assert sealer.open(sealed, **HERE) == KEY
    assert KEY.encode() not in sealed


@pytest.mark.parametrize("elsewhere", [{"server": "id-2"}, {"origin": "https://b.example:443"}])
def test_it_opens_nowhere_else(elsewhere: dict[str, str]) -> None:
    sealer = Sealer([OLD])
    with pytest.raises(CannotOpen) as refusal:
        sealer.open(sealer.seal(KEY, **HERE), **{**HERE, **elsewhere})
    assert "another server or address" in str(refusal.value)
    assert KEY not in repr(refusal.value)


def test_another_secret_does_not_open_it_and_neither_does_a_change() -> None:
    sealed = Sealer([OLD]).seal(KEY, **HERE)
    with pytest.raises(CannotOpen, match="another ENCRYPTION_KEY"):
        Sealer([OTHER]).open(sealed, **HERE)
    with pytest.raises(CannotOpen, match="was changed"):
        Sealer([OLD]).open(sealed[:-8] + b"AAAAAAA=", **HERE)


def test_without_a_secret_nothing_is_sealed_and_the_remedy_is_named() -> None:
    with pytest.raises(CannotSeal, match="Set it to at least 32 random characters"):
        Sealer([]).seal(KEY, **HERE)
    with pytest.raises(CannotOpen, match="none is set"):
        Sealer([]).open(Sealer([OLD]).seal(KEY, **HERE), **HERE)


def test_a_new_secret_seals_and_the_old_one_still_opens() -> None:
    old, both, new = Sealer([OLD]), Sealer([NEW, OLD]), Sealer([NEW])
    before, after = old.seal(KEY, **HERE), both.seal(KEY, **HERE)
    assert both.open(before, **HERE) == KEY
    assert new.open(after, **HERE) == KEY
    assert (both.is_current(before), both.is_current(after), Sealer([]).is_current(after)) == (False, True, False)
