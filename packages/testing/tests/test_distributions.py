"""The built wheels and sdists: what is in them, what they ask for, and that they work where nothing else is.

Wheels are built from the sdists, so an sdist that lacks something shows. They are installed into empty
environments, where our own distributions can only come from the wheels built here.
"""

import base64
import hashlib
import os
import shutil
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from members import ROOT, members
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from wheels import Distribution, Environment, build, run, unexpected_files, uv

FOLDERS = {member.folder.name: member.folder for member in members()}

# Warnings are errors, but those about `cgi`, which WebOb imports, and `pkg_resources`, which Pyramid does.
OTHERS = (
    "ignore:'cgi' is deprecated",
    "ignore:pkg_resources is deprecated",
    "ignore:Deprecated call to `pkg_resources.declare_namespace",
)
STRICT = ("-I", "-W", "error", *(part for warning in OTHERS for part in ("-W", warning)))

IMPORT_EVERYTHING = """
import importlib, pkgutil, sys
package = importlib.import_module(sys.argv[1])
# Modules for those who have pyramid_debugtoolbar, or the extra [openssl].
optional = {"websession_pyramid.debug_panel", "websession_crypto._openssl"}
for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
    if module.name not in optional:
        importlib.import_module(module.name)
for name in getattr(package, "__all__", ()):  # a package may hold modules alone
    getattr(package, name)
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Distribution]:
    """Build every member once; by the name of its folder."""
    return {name: build(folder, tmp_path_factory.mktemp(name)) for name, folder in FOLDERS.items()}


@pytest.fixture(params=FOLDERS)
def distribution(request: pytest.FixtureRequest, built: dict[str, Distribution]) -> Distribution:
    return built[request.param]


@pytest.fixture(scope="module")
def empty_environment(
    built: dict[str, Distribution], tmp_path_factory: pytest.TempPathFactory
) -> Callable[[], Environment]:
    def make() -> Environment:
        return Environment.make(tmp_path_factory.mktemp("environment"), built.values())

    return make


def execute(environment: Environment, code: str, *arguments: str) -> str:
    """Run a program in an environment, apart from all else and with warnings as errors."""
    return run(environment.python, *STRICT, "-c", code, *arguments, cwd=environment.python.parent)


def test_a_wheel_holds_its_package_and_nothing_else(distribution: Distribution) -> None:
    assert unexpected_files(distribution) == set()


@pytest.mark.parametrize("folder", FOLDERS.values(), ids=FOLDERS)
def test_a_wheel_and_an_sdist_are_the_same_bytes_wherever_and_whenever_they_are_built(
    folder: Path, built: dict[str, Distribution], tmp_path: Path
) -> None:
    checkout = tmp_path / "another" / "checkout"
    elsewhere = checkout / "packages" / folder.name
    shutil.copytree(folder, elsewhere, ignore=shutil.ignore_patterns("__pycache__"))
    # The builder looks for the former above it, as far as the latter, and packs it.
    shutil.copy(ROOT / ".gitignore", checkout)
    (checkout / ".git").mkdir()
    for path in [elsewhere, *elsewhere.rglob("*")]:
        os.utime(path, (1_000_000_000, 1_000_000_000))
        path.chmod(0o700 if path.is_dir() else 0o600)
    out = tmp_path / "out"

    again = build(elsewhere, out, env={"TZ": "Pacific/Chatham", "LC_ALL": "C", "PYTHONHASHSEED": "7"})

    first = built[folder.name]
    assert again.wheel.name == first.wheel.name
    assert again.wheel.read_bytes() == first.wheel.read_bytes()
    assert again.sdist.read_bytes() == first.sdist.read_bytes()


def test_an_sdist_holds_the_sources_the_tests_and_the_pages(distribution: Distribution) -> None:
    with tarfile.open(distribution.sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    for name in (
        "pyproject.toml",
        "README.md",
        "CHANGELOG.md",
        "LICENSE",
        f"src/{distribution.module}/py.typed",
    ):
        assert name in names
    tests = {
        path.relative_to(distribution.folder).as_posix()
        for path in (distribution.folder / "tests").rglob("*.py")
        if path.is_file()
    }
    assert tests <= names
    assert not [name for name in names if "__pycache__" in name or name.endswith((".pyc", ".sqlite", ".log"))]


def test_the_metadata_says_what_it_is_and_what_it_needs(
    distribution: Distribution, built: dict[str, Distribution]
) -> None:
    metadata = distribution.metadata
    assert metadata["Name"] == distribution.name
    assert metadata["License-Expression"] == "MIT"
    assert metadata["Requires-Python"] == ">=3.11"
    assert metadata["Description-Content-Type"] == "text/markdown"
    assert "Typing :: Typed" in metadata.get_all("Classifier", [])
    assert str(metadata.get_payload()).lstrip().startswith(f"# {distribution.name}")

    siblings = {one.name: one.metadata["Version"] for one in built.values()}
    for requirement in map(Requirement, metadata.get_all("Requires-Dist", [])):
        if requirement.name in siblings:
            series = int(siblings[requirement.name].split(".")[1])
            assert requirement.specifier == SpecifierSet(f">=0.{series},<0.{series + 1}")


def test_every_module_and_export_is_there_where_nothing_else_is_installed(
    distribution: Distribution, empty_environment: Callable[[], Environment]
) -> None:
    environment = empty_environment()
    environment.install(distribution.wheel)
    execute(environment, IMPORT_EVERYTHING, distribution.module)


def test_the_codec_brings_pycryptodome_and_nothing_else(
    built: dict[str, Distribution], empty_environment: Callable[[], Environment]
) -> None:
    environment = empty_environment()
    environment.install(built["crypto"].wheel)
    assert set(environment.installed) == {"websession-crypto", "pycryptodome"}


def test_the_core_brings_nothing(
    built: dict[str, Distribution], empty_environment: Callable[[], Environment]
) -> None:
    environment = empty_environment()
    environment.install(built["core"].wheel)
    assert set(environment.installed) == {"websession-core"}


def test_the_models_bring_no_web_framework_and_no_cipher(
    built: dict[str, Distribution], empty_environment: Callable[[], Environment]
) -> None:
    environment = empty_environment()
    environment.install(built["sqla-models"].wheel)
    assert {"websession-models", "websession-core", "sqlalchemy"} <= set(environment.installed)
    assert not set(environment.installed) & {"pyramid", "transaction", "zope-sqlalchemy", "pycryptodome"}


@pytest.mark.parametrize(
    ("extra", "brings"),
    [
        ("testing", {"pytest-websession", "pytest", "webtest"}),
        ("postgresql", {"psycopg", "psycopg-binary"}),
        ("mysql", {"pymysql"}),
        ("openssl", {"cryptography"}),
    ],
)
def test_an_extra_brings_what_its_name_says(
    built: dict[str, Distribution],
    empty_environment: Callable[[], Environment],
    extra: str,
    brings: set[str],
) -> None:
    environment = empty_environment()
    environment.install("pyramid-sqlalchemy-sessions")
    assert not brings & set(environment.installed)
    environment.install(f"pyramid-sqlalchemy-sessions[{extra}]")
    assert brings <= set(environment.installed)


def dead_release(folder: Path) -> Path:
    """Write a wheel like that of 2017: the same name, version 0.1.0, and it owns our `__init__.py`."""
    files = {
        "pyramid_sqlalchemy_sessions/__init__.py": "WHOSE = 'the old one'\n",
        "pyramid_sqlalchemy_sessions/session.py": "",
        "pyramid_sqlalchemy_sessions-0.1.0.dist-info/METADATA": (
            "Metadata-Version: 2.1\nName: pyramid-sqlalchemy-sessions\nVersion: 0.1.0\n"
        ),
        "pyramid_sqlalchemy_sessions-0.1.0.dist-info/WHEEL": (
            "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        ),
    }
    record = "pyramid_sqlalchemy_sessions-0.1.0.dist-info/RECORD"
    lines = [f"{record},,"]
    for name, text in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode().rstrip("=")
        lines.append(f"{name},sha256={digest},{len(text)}")
    wheel = folder / "pyramid_sqlalchemy_sessions-0.1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, text in {**files, record: "\n".join(lines) + "\n"}.items():
            archive.writestr(name, text)
    return wheel


def test_upgrading_with_pip_over_the_release_of_2017_leaves_ours(
    built: dict[str, Distribution], empty_environment: Callable[[], Environment], tmp_path: Path
) -> None:
    environment = empty_environment()
    environment.install("pip", "pyramid-sqlalchemy-sessions")
    ours = [one.name for one in built.values() if one.name in environment.installed]
    # What others made stays, so that pip needs no registry for the upgrade.
    uv("pip", "uninstall", "--quiet", "--python", environment.python, *ours)
    run(environment.python, "-m", "pip", "install", "--no-index", dead_release(tmp_path))
    whose = execute(environment, "import pyramid_sqlalchemy_sessions as it; print(it.WHOSE)")
    assert whose == "the old one\n"

    wheels = [part for one in built.values() for part in ("--find-links", one.wheel.parent)]
    run(
        environment.python, "-m", "pip", "install", "-U", "--no-index", *wheels, "pyramid-sqlalchemy-sessions"
    )

    assert environment.installed["pyramid-sqlalchemy-sessions"] == built["meta"].metadata["Version"]
    execute(environment, IMPORT_EVERYTHING, "pyramid_sqlalchemy_sessions")
    leftover = execute(
        environment,
        "import pathlib, pyramid_sqlalchemy_sessions as it;"
        "print(hasattr(it, 'WHOSE'), (pathlib.Path(it.__file__).parent / 'session.py').exists())",
    )
    assert leftover == "False False\n"
