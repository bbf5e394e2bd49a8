import pytest

from keras_rlkit.replay.saving import manifest

CONTENT = {"state": {"step": 3}, "small": ["abc"]}


def test_what_is_sealed_is_read():
    assert manifest.unsealed(manifest.sealed(CONTENT)) == (2, CONTENT)


def test_every_changed_byte_is_noticed():
    whole = manifest.sealed(CONTENT)
    for place in range(len(whole)):
        changed = bytearray(whole)
        changed[place] ^= 1
        with pytest.raises(ValueError, match="damaged|doesn't begin"):
            manifest.unsealed(bytes(changed))


def test_of_another_version_only_the_number_is_read(monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(manifest, "VERSION", 3)
        whole = manifest.sealed(CONTENT)
    assert manifest.unsealed(whole) == (3, None)
