"""Passwords, kept as scrypt hashes."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets

# OWASP's password storage cheat sheet gives these among its equally strong parameters. They take 16 MiB.
COST, BLOCK_SIZE, PARALLELISM = 2**14, 8, 5
SALT_BYTES = 16


def hash_password(password: str) -> str:
    """The text to store: parameters, salt and hash, so that the parameters can grow later."""
    salt = secrets.token_bytes(SALT_BYTES)
    digest = _scrypt(password, salt, COST, BLOCK_SIZE, PARALLELISM)
    return f"scrypt${COST}${BLOCK_SIZE}${PARALLELISM}${_encode(salt)}${_encode(digest)}"


def check_password(password: str, stored: str | None) -> bool:
    """Whether the password belongs to the stored text.

    For an unknown user pass `None`: the answer is no, and takes as long as for a known one, so that the
    time does not tell who is a customer.
    """
    if stored is None:
        _scrypt(password, b"nobody's salt...", COST, BLOCK_SIZE, PARALLELISM)
        return False
    _name, cost, block_size, parallelism, salt, digest = stored.split("$")
    actual = _scrypt(password, base64.b64decode(salt), int(cost), int(block_size), int(parallelism))
    return hmac.compare_digest(actual, base64.b64decode(digest))


def _scrypt(password: str, salt: bytes, cost: int, block_size: int, parallelism: int) -> bytes:
    # "surrogatepass": what a browser sends may hold any character, and a wrong password is no error.
    secret = password.encode("utf-8", "surrogatepass")
    return hashlib.scrypt(secret, salt=salt, n=cost, r=block_size, p=parallelism)


def _encode(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
