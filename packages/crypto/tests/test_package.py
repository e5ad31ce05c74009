"""What the package is from outside: its names, and what it needs."""

import json
import subprocess
import sys

import websession_crypto

WITH_NOTHING_BUT = """
import importlib.abc, json, sys

asked = []
present = set(sys.argv[1:])

class NothingBut(importlib.abc.MetaPathFinder):
    # Stands in for an environment where nothing but these is installed.
    def find_spec(self, name, path=None, target=None):
        top = name.partition(".")[0]
        if top in sys.stdlib_module_names or top in present:
            return None
        importer = sys._getframe(1)
        while importer.f_globals["__name__"].startswith("importlib"):
            importer = importer.f_back
        asked.append((importer.f_globals["__name__"], name))
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)

before = set(sys.modules)
sys.meta_path.insert(0, NothingBut())
"""


def run_with_nothing_but(*packages: str, code: str) -> str:
    command = [sys.executable, "-W", "error", "-c", WITH_NOTHING_BUT + code, "websession_crypto", *packages]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    return done.stdout


def test_importing_it_imports_nothing_besides_pycryptodome_and_the_standard_library() -> None:
    printed = run_with_nothing_but(
        "Crypto",
        code="""
import websession_crypto
websession_crypto.SecretKey.from_text(websession_crypto.generate_secret_key())

new = {name.partition(".")[0] for name in set(sys.modules) - before}
print(json.dumps([sorted(new - sys.stdlib_module_names), asked]))
""",
    )

    found, missing = json.loads(printed)
    assert found == ["Crypto", "websession_crypto"]
    # Others may look for what they can do without, as PyCryptodome does for cffi; this package does not.
    assert [(importer, name) for importer, name in missing if importer.startswith("websession")] == []


def test_pycryptodome_is_found_by_the_name_that_linux_distributions_give_it() -> None:
    printed = run_with_nothing_but(
        "Cryptodome",
        code="""
from websession_crypto import Xaes256Gcm

print(Xaes256Gcm(bytes([1]) * 32).encrypt(b"ABCDEFGHIJKLMNOPQRSTUVWX", b"XAES-256-GCM").hex())
""",
    )

    assert printed.strip() == "ce546ef63c9cc60765923609b33a9a1974e96e52daf2fcf7075e2271"


def test_a_library_that_is_not_installed_is_told_with_a_remedy_and_without_the_key() -> None:
    printed = run_with_nothing_but(
        "Crypto",
        code="""
from websession_crypto import CipherLibraryError, Keyring, SecretKey, generate_secret_key

text = generate_secret_key()
raw = __import__("base64").urlsafe_b64decode(text + "=")
for make in (
    lambda: SecretKey.from_text(text, library="openssl"),
    lambda: SecretKey(raw, library="openssl"),
    lambda: Keyring.from_text(text, library="openssl"),
    lambda: Keyring.from_sources([text], library="openssl"),
):
    try:
        make()
    except CipherLibraryError as error:
        print(error)
        frame = error.__traceback__
        while frame is not None:
            if frame.tb_frame.f_globals["__name__"].startswith("websession_crypto"):
                shown = repr(frame.tb_frame.f_locals)
                assert text not in shown and repr(raw) not in shown, shown
            frame = frame.tb_next
""",
    )

    sentence = (
        "the package cryptography, which brings OpenSSL, cannot be imported (No module named "
        "'cryptography'). Install it, by the extra [openssl] of this distribution for example, or choose "
        "pycryptodome"
    )
    assert printed.splitlines() == [sentence] * 4


def test_pycryptodome_is_not_needed_where_openssl_was_chosen() -> None:
    printed = run_with_nothing_but(
        "cryptography",
        "_cffi_backend",
        "cffi",
        "typing_extensions",
        code="""
from websession_crypto import CipherLibraryError, Keyring, TokenCodec, generate_secret_key

text = generate_secret_key()
codec = TokenCodec(Keyring.from_text(text, library="openssl"), purpose="basket")
print(codec.decrypt(codec.encrypt(b"three apples")), codec.keyring.library)
try:
    Keyring.from_text(text)
except CipherLibraryError as error:
    print(error)
""",
    )

    assert printed.splitlines() == [
        "b'three apples' openssl",
        "PyCryptodome cannot be imported (No module named 'Crypto'). Install pycryptodome, or pycryptodomex",
    ]


def test_every_public_name_is_there_and_documented() -> None:
    names = set(websession_crypto.__all__)

    assert len(websession_crypto.__all__) == len(names)
    for name in names - {"__version__"}:
        value = getattr(websession_crypto, name)
        assert isinstance(value, int | tuple) or value.__doc__, name
