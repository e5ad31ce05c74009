"""XAES-256-GCM against the vectors of its specification, https://c2sp.org/XAES-256-GCM.

The long accumulated test runs on demand, and for several minutes:
``pytest -m slow packages/crypto/tests/test_xaes.py``.
"""

import copy
import hashlib
import pickle
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from Crypto.Hash import SHAKE128
from hypothesis import given, settings
from hypothesis import strategies as st
from websession_crypto import CIPHER_LIBRARIES, InvalidTagError, Xaes256Gcm

NONCE = b"ABCDEFGHIJKLMNOPQRSTUVWX"


# Not for each function: Hypothesis would rather have a fixture that lasts for all of a test's examples.
@pytest.fixture(scope="module", params=CIPHER_LIBRARIES)
def library(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.mark.parametrize(
    ("key", "associated_data", "ciphertext"),
    [
        # In the first vector the bit that falls out when L is doubled is 0, in the second it is 1.
        pytest.param(
            b"\x01" * 32, b"", "ce546ef63c9cc60765923609b33a9a1974e96e52daf2fcf7075e2271", id="msb-0"
        ),
        pytest.param(
            b"\x03" * 32,
            b"c2sp.org/XAES-256-GCM",
            "986ec1832593df5443a179437fd083bf3fdb41abd740a21f71eb769d",
            id="msb-1",
        ),
    ],
)
def test_the_published_vectors_encrypt_and_decrypt(
    library: str, key: bytes, associated_data: bytes, ciphertext: str
) -> None:
    aead = Xaes256Gcm(key, library=library)

    assert aead.encrypt(NONCE, b"XAES-256-GCM", associated_data).hex() == ciphertext
    assert aead.decrypt(NONCE, bytes.fromhex(ciphertext), associated_data) == b"XAES-256-GCM"
    if not associated_data:
        assert aead.encrypt(NONCE, b"XAES-256-GCM").hex() == ciphertext
        assert aead.decrypt(NONCE, bytes.fromhex(ciphertext)) == b"XAES-256-GCM"


def random_stream() -> Callable[[int], bytes]:
    """The specification's random numbers, SHAKE-128 of nothing: call it with the number of bytes wanted next.

    From PyCryptodome, whose SHAKE can be read on and on; hashlib's gives a prefix of the stream, from its
    beginning each time.
    """
    return SHAKE128.new().read


def accumulated_hash(library: str, iterations: int) -> str:
    read = random_stream()
    accumulated = hashlib.shake_128()
    for _ in range(iterations):
        key, nonce = read(32), read(24)
        # `opaque x<0..255>` of RFC 8446: one byte of length, then that many bytes.
        plaintext = read(read(1)[0])
        associated_data = read(read(1)[0])
        aead = Xaes256Gcm(key, library=library)
        ciphertext = aead.encrypt(nonce, plaintext, associated_data)
        assert aead.decrypt(nonce, ciphertext, associated_data) == plaintext
        accumulated.update(ciphertext)
    return accumulated.hexdigest(32)


def test_the_random_stream_begins_as_the_specification_says() -> None:
    assert random_stream()(16).hex() == "7f9c2ba4e88f827d616045507605853e"


def test_ten_thousand_accumulated_random_tests_give_the_published_hash(library: str) -> None:
    expected = "e6b9edf2df6cec60c8cbd864e2211b597fb69a529160cd040d56c0c210081939"
    assert accumulated_hash(library, 10_000) == expected


@pytest.mark.slow
def test_a_million_accumulated_random_tests_give_the_published_hash(library: str) -> None:
    expected = "2163ae1445985a30b60585ee67daa55674df06901b890593e824b8a7c885ab15"
    assert accumulated_hash(library, 1_000_000) == expected


@settings(max_examples=30)
@given(
    key=st.binary(min_size=32, max_size=32),
    nonce=st.binary(min_size=24, max_size=24),
    plaintext=st.binary(max_size=200),
    associated_data=st.binary(max_size=50),
)
def test_what_was_encrypted_is_decrypted(
    library: str, key: bytes, nonce: bytes, plaintext: bytes, associated_data: bytes
) -> None:
    ciphertext = Xaes256Gcm(key, library=library).encrypt(nonce, plaintext, associated_data)

    assert len(ciphertext) == len(plaintext) + 16
    assert Xaes256Gcm(key, library=library).decrypt(nonce, ciphertext, associated_data) == plaintext


@settings(max_examples=300, deadline=None)
@given(
    key=st.binary(min_size=32, max_size=32),
    nonce=st.binary(min_size=24, max_size=24),
    plaintext=st.binary(max_size=5_000),
    associated_data=st.binary(max_size=300),
)
def test_every_library_makes_the_same_bytes_and_reads_them(
    key: bytes, nonce: bytes, plaintext: bytes, associated_data: bytes
) -> None:
    aeads = [Xaes256Gcm(key, library=library) for library in CIPHER_LIBRARIES]

    (ciphertext,) = {aead.encrypt(nonce, plaintext, associated_data) for aead in aeads}

    assert {aead.decrypt(nonce, ciphertext, associated_data) for aead in aeads} == {plaintext}


@settings(max_examples=300, deadline=None)
@given(data=st.data(), length=st.integers(0, 200))
def test_no_library_reads_what_another_refuses(data: st.DataObject, length: int) -> None:
    sealed = bytearray(Xaes256Gcm(bytes(32)).encrypt(NONCE, bytes(length), b"data"))
    for _ in range(data.draw(st.integers(0, 3))):
        sealed[data.draw(st.integers(0, len(sealed) - 1))] ^= data.draw(st.integers(0, 255))
    forged = bytes(sealed[: data.draw(st.sampled_from([None, 0, 15, 16, 17]))])

    def answer(library: str) -> bytes | None:
        try:
            return Xaes256Gcm(bytes(32), library=library).decrypt(NONCE, forged, b"data")
        except InvalidTagError:
            return None

    assert len({answer(library) for library in CIPHER_LIBRARIES}) == 1


@pytest.fixture
def aead(library: str) -> Xaes256Gcm:
    return Xaes256Gcm(b"\x03" * 32, library=library)


def test_a_cipher_tells_its_library(library: str) -> None:
    assert Xaes256Gcm(bytes(32), library=library).library == library
    assert Xaes256Gcm(bytes(32)).library == "pycryptodome"


def test_a_library_that_nobody_knows_is_refused() -> None:
    with pytest.raises(ValueError, match="a cipher library is one of pycryptodome, openssl"):
        Xaes256Gcm(bytes(32), library="rot13")


def test_every_changed_bit_of_ciphertext_and_tag_is_refused(aead: Xaes256Gcm) -> None:
    ciphertext = int.from_bytes(aead.encrypt(NONCE, b"payload", b"data"), "big")

    for bit in range((7 + 16) * 8):
        with pytest.raises(InvalidTagError):
            aead.decrypt(NONCE, (ciphertext ^ 1 << bit).to_bytes(7 + 16, "big"), b"data")


def test_another_nonce_in_either_half_is_refused(aead: Xaes256Gcm) -> None:
    ciphertext = aead.encrypt(NONCE, b"payload")

    for position in range(24):
        other = bytearray(NONCE)
        other[position] ^= 1
        with pytest.raises(InvalidTagError):
            aead.decrypt(bytes(other), ciphertext)


@pytest.mark.parametrize("other", [b"", b"dat", b"data ", b"Data"])
def test_other_associated_data_is_refused(aead: Xaes256Gcm, other: bytes) -> None:
    ciphertext = aead.encrypt(NONCE, b"payload", b"data")

    with pytest.raises(InvalidTagError):
        aead.decrypt(NONCE, ciphertext, other)


@pytest.mark.parametrize("length", range(16))
def test_what_is_shorter_than_a_tag_is_refused(aead: Xaes256Gcm, length: int) -> None:
    with pytest.raises(InvalidTagError):
        aead.decrypt(NONCE, aead.encrypt(NONCE, b"")[:length])


@pytest.mark.parametrize("length", [0, 16, 24, 31, 33, 64])
def test_a_key_of_another_length_is_refused(library: str, length: int) -> None:
    with pytest.raises(ValueError, match=f"32 bytes, not {length}"):
        Xaes256Gcm(bytes(length), library=library)


@pytest.mark.parametrize("length", [0, 12, 23, 25])
def test_a_nonce_of_another_length_is_refused_both_ways(aead: Xaes256Gcm, length: int) -> None:
    with pytest.raises(ValueError, match=f"24 bytes, not {length}"):
        aead.encrypt(bytes(length), b"payload")
    with pytest.raises(ValueError, match=f"24 bytes, not {length}"):
        aead.decrypt(bytes(length), bytes(16))


def test_threads_share_one_cipher(aead: Xaes256Gcm) -> None:
    def encrypt(number: int) -> bytes:
        return aead.encrypt(number.to_bytes(24, "big"), number.to_bytes(4, "big") * 50)

    numbers = range(2_000)
    with ThreadPoolExecutor(8) as pool:
        concurrent = list(pool.map(encrypt, numbers))

    assert concurrent == [encrypt(number) for number in numbers]


def test_a_cipher_is_its_own_copy_and_refuses_to_be_pickled(aead: Xaes256Gcm) -> None:
    assert copy.copy(aead) is aead
    assert copy.deepcopy([aead])[0] is aead
    with pytest.raises(TypeError, match="Xaes256Gcm objects are not pickled, because they hold key material"):
        pickle.dumps(aead)
