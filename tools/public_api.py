"""Write down the public names of each member, so that a review sees every change of them.

`hatch run checks:api` writes `packages/<member>/api.txt`; a test compares them with the code. Public is what
a package's `__all__` names, and the public names of its classes; of a package without `__all__`, the same of
its modules. griffe reads the source, and imports none of it.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import griffe
from members import Member, members

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

HEAD = "# The public API, by `hatch run checks:api`. What goes or changes here can break applications.\n"


def resolve(thing: Any) -> Any:
    """Return what a name stands for that griffe has found, imported or inherited."""
    return thing.final_target if thing.is_alias else thing


class Reader:
    """Describes the API of members that refer to one another."""

    def __init__(self, members: Iterable[Member]) -> None:
        packages = [member.package for member in members]
        loader = griffe.GriffeLoader(search_paths=[path.parent for path in packages], allow_inspection=False)
        self._packages = {path.name: loader.load(path.name) for path in packages}
        self._sources = loader.modules_collection
        loader.resolve_aliases(external=False)

    def snapshot(self, member: Member) -> str:
        """Return the public API of a member."""
        package = self._packages[member.package.name]
        modules = [package] if package.exports is not None else package.modules.values()
        lines = [HEAD]
        for module in sorted(modules, key=lambda module: module.path):
            if module.exports is not None and not module.is_private:
                lines.append(f"[{module.path}]")
                for name in sorted(map(str, module.exports)):
                    lines += self.describe(name, module)
                lines.append("")
        return "\n".join(lines)

    def describe(self, name: str, module: Any) -> Iterator[str]:
        """Describe one public name of a module; one that is another member's is described there."""
        try:
            thing = resolve(module[name])
        except KeyError:
            yield f"{name}, by `__getattr__`"
            return
        except griffe.AliasResolutionError:
            yield f"{name}, from {module[name].target_path}"
            return
        if thing.is_module:
            # `from .rules import rules`: griffe knows the module by that name.
            thing = thing[name]
        if thing.package.name != module.package.name:
            yield f"{name}, from {thing.package.name}"
        elif thing.is_class:
            bases = ", ".join(str(base) for base in thing.bases)
            yield f"class {self.call(name, thing)}" + (f", a {bases}" if bases else "")
            for attribute, member in sorted(thing.all_members.items()):
                if not attribute.startswith("_") or attribute == "__call__":
                    yield f"    {self.line(attribute, resolve(member))}"
        else:
            yield self.line(name, thing)

    def call(self, name: str, cls: Any) -> str:
        """Return a class's name, and the parameters that it is called with, where one of ours says so."""
        start = cls.all_members.get("__init__")
        if start is None:
            return name
        return self.signature(name, resolve(start)).partition(" -> ")[0]

    def signature(self, name: str, function: Any) -> str:
        """Return a function's signature, as its source has it but for constants, which are shown by value."""
        for parameter in function.parameters:
            parameter.default = self.constant(parameter.default)
        return str(function.signature(name=name))

    def constant(self, value: Any) -> Any:
        """Return what a constant of ours stands for, and anything else as it is."""
        with contextlib.suppress(KeyError, AttributeError):
            while isinstance(value, griffe.ExprName) and value.name.isupper():
                value = self._sources[value.canonical_path].value
        return value

    def line(self, name: str, thing: Any) -> str:
        """Describe a function, an attribute or a value."""
        labels = thing.labels
        if thing.is_function:
            kind = "class " if "classmethod" in labels else "static " if "staticmethod" in labels else ""
            return kind + self.signature(name, thing)
        if "property" in labels:
            return f"{name}: {thing.annotation} ({'can be set' if 'writable' in labels else 'read-only'})"
        annotation = str(thing.annotation or "")
        constant = annotation in {"", "Final", "TypeAlias"} and labels != {"instance-attribute"}
        value = f" = {self.constant(thing.value)}" if constant else ""
        return name + (f": {annotation}" if annotation else "") + value


if __name__ == "__main__":
    reader = Reader(members())
    for member in members():
        (member.folder / "api.txt").write_text(reader.snapshot(member), "utf-8")
        print(f"{member.place}/api.txt is up to date")
