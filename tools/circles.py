"""A contract for import-linter: no module imports itself, by way of any others.

Imports for typing and imports within functions count like all others. So does the `__init__` of the package
that a module is in, which import-linter's own `acyclic_siblings` does not look at.
"""

from __future__ import annotations

from graphlib import CycleError, TopologicalSorter
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from importlinter import Contract, ContractCheck, fields, output

if TYPE_CHECKING:
    from grimp import ImportGraph


class NoCircles(Contract):
    """No circle of imports in any root package, those in `not_yet` excepted."""

    not_yet: Any = fields.ListField(subfield=fields.StringField(), required=False, default=[])

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:
        """Look for a circle; the report has a line for each of its imports."""
        packages = set(self.session_options["root_packages"]) - set(self.not_yet)
        modules = [module for module in graph.modules if module.partition(".")[0] in packages]
        lines = []
        try:
            TopologicalSorter(
                {one: graph.find_modules_directly_imported_by(one) for one in modules}
            ).prepare()
        except CycleError as error:
            for imported, importer in pairwise(error.args[1]):
                (details, *_) = graph.get_import_details(importer=importer, imported=imported)
                lines.append(f"{importer}:{details['line_number']} imports {imported}")
        return ContractCheck(kept=not lines, metadata={"lines": lines})

    def render_broken_contract(self, check: ContractCheck) -> None:
        """Print the circle."""
        for line in check.metadata["lines"]:
            output.print_error(line)
