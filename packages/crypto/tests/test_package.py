"""What the package is from outside: its names, and what it needs."""

import json
import subprocess
import sys

import websession_crypto

IMPORT_ALONE = """
import importlib.abc, json, sys

asked = []

class OnlyPycryptodome(importlib.abc.MetaPathFinder):
    # Stands in for an environment where nothing but pycryptodome is installed.
    def find_spec(self, name, path=None, target=None):
        top = name.partition(".")[0]
        if top in sys.stdlib_module_names or top in {"Crypto", "websession_crypto"}:
            return None
        importer = sys._getframe(1)
        while importer.f_globals["__name__"].startswith("importlib"):
            importer = importer.f_back
        asked.append((importer.f_globals["__name__"], name))
        raise ModuleNotFoundError(name=name)

before = set(sys.modules)
sys.meta_path.insert(0, OnlyPycryptodome())
import websession_crypto

new = {name.partition(".")[0] for name in set(sys.modules) - before}
print(json.dumps([sorted(new - sys.stdlib_module_names), asked]))
"""


def test_importing_it_imports_nothing_besides_pycryptodome_and_the_standard_library() -> None:
    imported = subprocess.run(
        [sys.executable, "-W", "error", "-c", IMPORT_ALONE], capture_output=True, text=True, check=True
    )

    found, missing = json.loads(imported.stdout)
    assert found == ["Crypto", "websession_crypto"]
    # Others may look for what they can do without, as PyCryptodome does for cffi; this package does not.
    assert [(importer, name) for importer, name in missing if importer.startswith("websession")] == []


def test_every_public_name_is_there_and_documented() -> None:
    names = set(websession_crypto.__all__)

    assert len(websession_crypto.__all__) == len(names)
    for name in names - {"__version__"}:
        value = getattr(websession_crypto, name)
        assert isinstance(value, int) or value.__doc__, name
