"""Encrypted, authenticated cookie tokens (XAES-256-GCM) with key rotation, for any web application.

    codec = TokenCodec(Keyring.from_text(os.environ["COOKIE_KEYS"]), purpose="basket")
    token = codec.encrypt(b"three apples")
    codec.decrypt(token)  # b"three apples", or a TokenError

`generate_secret_key`, or ``python -m websession_crypto``, makes a key.
"""

from .__about__ import __version__
from ._libraries import CIPHER_LIBRARIES
from ._lookalikes import conceal_keys
from .errors import (
    CipherLibraryError,
    CryptoError,
    InvalidTagError,
    KeyFormatError,
    MalformedTokenError,
    PayloadTooLongError,
    TokenError,
    UnauthenticTokenError,
    UnknownTokenVersionError,
)
from .errors import __getattr__ as __getattr__
from .keys import Keyring, SecretKey, generate_secret_key
from .tokens import MAX_PAYLOAD_LENGTH, MAX_PURPOSE_LENGTH, MAX_TOKEN_LENGTH, Opened, TokenCodec
from .values import ValueCodec
from .xaes import Xaes256Gcm

__all__ = [
    "CIPHER_LIBRARIES",
    "MAX_PAYLOAD_LENGTH",
    "MAX_PURPOSE_LENGTH",
    "MAX_TOKEN_LENGTH",
    "CipherLibraryError",
    "CryptoError",
    "InvalidTagError",
    "KeyFormatError",
    "Keyring",
    "MalformedTokenError",
    "Opened",
    "PayloadTooLongError",
    "SecretKey",
    "TokenCodec",
    "TokenError",
    "UnauthenticTokenError",
    "UnknownTokenVersionError",
    "ValueCodec",
    "Xaes256Gcm",
    "__version__",
    "conceal_keys",
    "generate_secret_key",
]
