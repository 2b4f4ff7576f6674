"""Signed ids of stored responses. Any text may come back as one: none may raise, and none but the caller's own may open."""

import base64
import hmac
import struct
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.state.signing_key import SigningKey
from shared.state.stored_ids import MAX_UPSTREAM_ID_BYTES, Opened, StoredIds, backend_tag

OLD = SigningKey(1, bytes(range(32)))
NEW = SigningKey(2, bytes(range(32, 64)))
IDS = StoredIds([OLD])
UPSTREAM_ID = "resp_67ccfcdd16748190a91872c75d38539e09e4d4aac714747c"
ANY_TEXT = st.text(st.characters(codec=None, categories=None))
"""Lone surrogates included."""
UPSTREAM_IDS = ANY_TEXT.filter(lambda text: 0 < len(text.encode("utf-8", "surrogatepass")) <= MAX_UPSTREAM_ID_BYTES)


def signed(upstream_id: str = UPSTREAM_ID, *, ids: StoredIds = IDS, caller: str = "alice") -> str:
    return ids.sign(upstream_id, backend="east", caller=caller)


def packed(text: str) -> bytes:
    encoded = text.removeprefix("resp_")
    return base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4))


def unpacked(data: bytes) -> str:
    return "resp_" + base64.urlsafe_b64encode(data).decode().rstrip("=")


def test_a_signed_id_has_the_documented_bytes() -> None:
    tag = sha256(b"east").digest()[:4]
    body = struct.pack(">BB4s8s", 1, 1, tag, hmac.digest(OLD.secret, b"alice", "sha256")[:8])
    body += UPSTREAM_ID.encode()
    assert signed() == unpacked(body + hmac.digest(OLD.secret, body, "sha256")[:16])
    assert "=" not in signed()
    assert backend_tag("east") == tag


@given(UPSTREAM_IDS, ANY_TEXT)
def test_what_is_signed_opens_for_its_caller(upstream_id: str, caller: str) -> None:
    assert IDS.open(signed(upstream_id, caller=caller), caller=caller) == Opened(backend_tag("east"), upstream_id)


@given(ANY_TEXT, ANY_TEXT)
def test_an_id_opens_for_nobody_else(caller: str, other: str) -> None:
    if caller != other:
        assert IDS.open(signed(caller=caller), caller=other) is None


def test_no_byte_of_an_id_can_be_changed() -> None:
    data = packed(signed())
    for at in range(len(data)):
        for bit in range(8):
            forged = bytearray(data)
            forged[at] ^= 1 << bit
            assert IDS.open(unpacked(bytes(forged)), caller="alice") is None


@pytest.mark.parametrize("length", [1, 2, 3])
def test_no_character_of_an_id_can_be_changed(length: int) -> None:
    """Of each length modulo 3: the last character may have bits that no byte is made of."""
    text = signed("x" * length)
    for at in range(len(text)):
        for other in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_+/= \né\ud800":
            if other != text[at]:
                assert IDS.open(text[:at] + other + text[at + 1 :], caller="alice") is None


def test_no_part_of_an_id_and_nothing_longer_opens() -> None:
    text = signed()
    for end in range(len(text)):
        assert IDS.open(text[:end], caller="alice") is None
        assert IDS.open(text[end + 1 :], caller="alice") is None
    for more in ("=", "==", "A", "AAAA", "\n", " ", "\0", text):
        assert IDS.open(text + more, caller="alice") is None
        assert IDS.open(more + text, caller="alice") is None


@given(ANY_TEXT | ANY_TEXT.map("resp_".__add__) | st.binary(max_size=200).map(unpacked), ANY_TEXT)
def test_no_other_text_opens_or_raises(text: str, caller: str) -> None:
    assert IDS.open(text, caller=caller) is None
    assert not IDS.recognises(text)


@pytest.mark.parametrize("text", ["", "resp_", UPSTREAM_ID, "resp_" + "A" * 10**7, "é" * 10**6, "resp_\ud800"])
def test_an_unsigned_id_does_not_open(text: str) -> None:
    assert IDS.open(text, caller="alice") is None


def test_a_foreign_keys_id_does_not_open() -> None:
    foreign = StoredIds([SigningKey(OLD.number, b"f" * 32)])
    assert IDS.open(signed(ids=foreign), caller="alice") is None
    assert IDS.open(signed(ids=StoredIds([NEW])), caller="alice") is None


def test_an_id_signed_with_zeros_under_an_unknown_number_does_not_open() -> None:
    for number in (0, 7, 255):
        forger = StoredIds([SigningKey(number, bytes(32))])
        assert IDS.open(signed(ids=forger), caller="alice") is None


def test_the_newest_key_signs_and_each_verifies() -> None:
    both = StoredIds([NEW, OLD])
    assert both.open(signed(ids=IDS), caller="alice")
    assert packed(signed(ids=both))[1] == NEW.number
    assert both.open(signed(ids=both), caller="alice")
    assert IDS.open(signed(ids=both), caller="alice") is None


@given(UPSTREAM_IDS)
def test_an_id_that_is_signed_already_is_recognised_and_left_alone(upstream_id: str) -> None:
    both = StoredIds([NEW, OLD])
    text = signed(upstream_id)
    assert both.recognises(text)
    assert signed(text, ids=both, caller="bob") == text
    assert both.open(text, caller="bob") is None


@pytest.mark.parametrize("upstream_id", ["", "x" * (MAX_UPSTREAM_ID_BYTES + 1), "é" * MAX_UPSTREAM_ID_BYTES])
def test_an_id_that_cannot_be_signed_stays_and_never_opens(upstream_id: str) -> None:
    assert signed(upstream_id) == upstream_id
    assert IDS.open(signed(upstream_id), caller="alice") is None


def test_an_id_of_more_than_the_bound_does_not_open_whoever_signed_it() -> None:
    body = packed(signed())[:14] + b"x" * (MAX_UPSTREAM_ID_BYTES + 1)
    assert IDS.open(unpacked(body + hmac.digest(OLD.secret, body, "sha256")[:16]), caller="alice") is None


def test_the_longest_id_that_can_be_signed_opens() -> None:
    longest = "x" * MAX_UPSTREAM_ID_BYTES
    opened = IDS.open(signed(longest), caller="alice")
    assert opened is not None
    assert opened.upstream_id == longest


def test_a_key_is_not_shown() -> None:
    assert str(OLD.secret) not in repr(OLD)


def test_a_text_costs_the_same_work_whatever_is_wrong_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    text = signed()
    work: list[int] = []
    foreign = signed(ids=StoredIds([NEW]))
    forged = signed(ids=StoredIds([SigningKey(OLD.number, b"f" * 32)]))
    real_digest = hmac.digest

    def counted(key: bytes, message: bytes, algorithm: str) -> bytes:
        work[-1] += 1
        return real_digest(key, message, algorithm)

    monkeypatch.setattr(hmac, "digest", counted)
    for one in (text, foreign, forged, UPSTREAM_ID, "resp_" + "x" * (len(text) - 5), ""):
        for caller in ("alice", "bob"):
            work.append(0)
            IDS.open(one, caller=caller)
    assert len(set(work)) == 1
