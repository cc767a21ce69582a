"""Registries: the choices of a config key, one module each, named by its file.

A registry is a folder of a package, such as `services/providers/`. Each module in it is one choice and
assigns its description to `REGISTERED`. The names are known without an import, and a module is imported when
it is looked up. So Snakemake, which reads the names at every start, stays fast, and a job depends only on the
code of its own choice.
"""

import ast
import importlib
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TypeVar

from lexmerge.common.errors import StudyError

Entry = TypeVar("Entry")
NAME = re.compile(r"[a-z][a-z0-9_]*")
SCRIPTS = Path(__file__).parents[2]


class Registry(Mapping[str, Entry]):
    """The registered choices by name, in alphabetical order.

    Attributes:
        package: The dotted name of the package, such as `lexmerge.services.providers`.
    """

    def __init__(self, package: str, kind: type[Entry]):
        """Define a registry; its modules are not imported yet.

        Args:
            package: The dotted name of the package that holds the modules.
            kind: The type of the modules' `REGISTERED`.
        """
        self.package, self._kind = package, kind
        self._folder = SCRIPTS.joinpath(*package.split("."))

    def __iter__(self) -> Iterator[str]:
        """The names; a StudyError if a file has a name that no choice can have."""
        files = sorted(file for file in self._folder.glob("*.py") if file.name != "__init__.py")
        for file in files:
            if not NAME.fullmatch(file.stem):
                raise StudyError(
                    f"{file}: the name of a choice has only lower-case letters, digits and _; rename the file"
                )
        return iter([file.stem for file in files])

    def __len__(self) -> int:
        return len(list(iter(self)))

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and bool(NAME.fullmatch(name)) and self.file(name).is_file()

    def __getitem__(self, name: str) -> Entry:
        """Import a module and return its `REGISTERED`.

        Raises:
            KeyError: If there is no such module.
            StudyError: If it cannot be imported, or what it registers has the wrong type.
        """
        if name not in self:
            raise KeyError(name)
        try:
            module = importlib.import_module(f"{self.package}.{name}")
        except (ImportError, SyntaxError) as error:
            cause = f"{type(error).__name__}: {error}"
            raise StudyError(
                f"{self.file(name)} cannot be imported ({cause}): correct or remove it"
            ) from error
        entry = getattr(module, "REGISTERED", None)
        if not isinstance(entry, self._kind):
            raise StudyError(f"{self.file(name)}: assign a {self._kind.__name__} to REGISTERED")
        return entry

    def file(self, name: str) -> Path:
        """The file of a module, for the fingerprint of a choice in a rule's parameters."""
        return self._folder / f"{name}.py"

    def about(self, name: str) -> str:
        """The first line of the module's docstring, which describes the choice in the config reference."""
        tree = ast.parse(self.file(name).read_text(encoding="utf-8"))
        return (ast.get_docstring(tree) or "").partition("\n")[0]
