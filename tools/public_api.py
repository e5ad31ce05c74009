"""Write down the public names of each member, so that a review sees every change of them.

`hatch run checks:api` writes `packages/<member>/api.txt`; a test compares them with the code. Public is what
a package's `__all__` names, and the public names of its classes; of a package without `__all__`, the same of
its modules.
"""

from __future__ import annotations

import enum
import importlib
import inspect
import pkgutil
import re
from typing import TYPE_CHECKING

from members import Member, members

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import ModuleType

HEAD = "# The public API, by `hatch run checks:api`. What goes or changes here can break applications.\n"

PLAIN = (bool, int, float, str, bytes, type(None))


class _Verbatim:
    """An annotation that is shown as it stands in the source."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return self.text


def signature(function: Callable[..., object], *, bound: bool = False) -> str:
    """Return the parameters of a function, with annotations as its source has them.

    Args:
        function: The function.
        bound: Whether its first parameter is given by Python, and left out.
    """
    found = inspect.signature(function)

    def shown(annotation: object) -> object:
        return annotation if annotation is inspect.Signature.empty else _Verbatim(annotated(annotation))

    parameters = [
        each.replace(annotation=shown(each.annotation), default=default(each.default))
        for each in found.parameters.values()
    ]
    if bound:
        parameters = parameters[1:]
    return str(found.replace(parameters=parameters, return_annotation=shown(found.return_annotation)))


def default(value: object) -> object:
    """Return what is shown of a parameter's default: a plain value or "..."; others may differ by machine."""
    if isinstance(value, enum.Enum):
        return _Verbatim(f"{type(value).__name__}.{value.name}")
    if value is inspect.Parameter.empty or isinstance(value, PLAIN) or value == ():
        return value
    return _Verbatim("...")


def annotated(annotation: object) -> str:
    """Return an annotation as it stands in the source, or would stand there with every class imported."""
    if isinstance(annotation, str):
        return annotation
    return re.sub(r"\b(?:[a-z_]+\.)+(?=[A-Z])", "", inspect.formatannotation(annotation))


def is_ours(thing: object) -> bool:
    """Tell whether a class or a function is defined in one of the members."""
    package = str(getattr(thing, "__module__", "")).partition(".")[0]
    return package in {each.package.name for each in members()}


def members_of(cls: type) -> Iterator[str]:
    """Describe the public names that a class has from classes of ours."""
    seen = set()
    for base in cls.__mro__:
        if not is_ours(base):
            continue
        annotations = inspect.get_annotations(base)
        for name in dict.fromkeys([*annotations, *vars(base)]):
            if (name.startswith("_") and name != "__call__") or name in seen:
                continue
            seen.add(name)
            value = vars(base).get(name)
            if isinstance(value, staticmethod):
                yield f"static {name}{signature(value.__func__)}"
            elif isinstance(value, classmethod):
                yield f"class {name}{signature(value.__func__, bound=True)}"
            elif inspect.isfunction(value):
                yield f"{name}{signature(value, bound=True)}"
            elif isinstance(value, property):
                returns = inspect.get_annotations(value.fget).get("return", "") if value.fget else ""
                access = "can be set" if value.fset else "read-only"
                yield f"{name}: {annotated(returns)} ({access})"
            elif isinstance(value, enum.Enum):
                yield f"{name} = {value.value!r}" if isinstance(value.value, PLAIN) else name
            elif name in annotations:
                yield f"{name}: {annotated(annotations[name])}"
            elif isinstance(value, PLAIN):
                yield f"{name} = {value!r}"
            else:
                yield name


def constructor(cls: type) -> str:
    """Return the parameters that a class is called with, where one of ours says so."""
    if issubclass(cls, enum.Enum) or getattr(cls, "_is_protocol", False):
        return ""
    for base in cls.__mro__:
        for name in ("__init__", "__new__"):
            if is_ours(base) and inspect.isfunction(vars(base).get(name)):
                return signature(vars(base)[name], bound=True).partition(" -> ")[0]
    return ""


def describe(name: str, thing: object, package: str) -> Iterator[str]:
    """Describe one public name.

    Args:
        name: The name.
        thing: What it stands for.
        package: The import package that exports it; what is another one's own is told by that one.
    """
    home = str(getattr(thing, "__module__", "")).partition(".")[0]
    if (inspect.isclass(thing) or inspect.isfunction(thing)) and home != package:
        yield f"{name}, from {home}"
    elif inspect.isclass(thing):
        bases = [base.__name__ for base in thing.__bases__ if base is not object]
        yield f"class {name}{constructor(thing)}" + (f", a {', '.join(bases)}" if bases else "")
        yield from (f"    {line}" for line in sorted(members_of(thing)))
    elif inspect.isfunction(thing):
        yield f"{name}{signature(thing)}"
    elif isinstance(thing, PLAIN):
        yield f"{name} = {thing!r}"
    elif type(thing).__name__.startswith("_"):
        # A name for a type.
        yield name
    else:
        yield f"{name}: {type(thing).__name__}"


def modules(of: Member) -> Iterator[ModuleType]:
    """Import and return the modules of a member whose `__all__` is its public API."""
    package = importlib.import_module(of.package.name)
    if hasattr(package, "__all__"):
        yield package
        return
    for found in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
        if not found.name.rpartition(".")[2].startswith("_"):
            module = importlib.import_module(found.name)
            if hasattr(module, "__all__"):
                yield module


def snapshot(of: Member) -> str:
    """Return the public API of a member."""
    lines = [HEAD]
    for module in modules(of):
        lines.append(f"[{module.__name__}]")
        for name in sorted(module.__all__):
            lines += describe(name, getattr(module, name), of.package.name)
        lines.append("")
    return "\n".join(lines)


if __name__ == "__main__":
    for each in members():
        (each.folder / "api.txt").write_text(snapshot(each), "utf-8")
        print(f"{each.place}/api.txt is up to date")
