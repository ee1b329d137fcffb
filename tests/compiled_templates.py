"""Compiled Jinja templates that are kept for the next server.

Each test opens servers of its own, and every server would compile the same templates. A process compiles each of them
once. The processes of one run of the suite also share what they have compiled: the workers and the commands that they
fork. The folder for this belongs to one run, because the code of a template also depends on the filters, which may be
changed before the next run.
"""

import hashlib
import marshal
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import CodeType
from typing import Any

import jinja2
from checks.suite import COMPILED_TEMPLATES

# Read when the module is imported, because a forked command has an environment of its own.
_FOLDER = os.environ.get(COMPILED_TEMPLATES)

_compile = jinja2.Environment.compile
_compiled: dict[tuple[object, ...], Any] = {}


def keep_compiled_templates() -> None:
    """Make all environments of this process use the kept templates."""
    jinja2.Environment.compile = _compile_once  # type: ignore[method-assign]  # the same, remembered


def _compile_once(self: jinja2.Environment, source: Any, name: Any = None, filename: Any = None, **how: Any) -> Any:
    settings = (self.autoescape, self.trim_blocks, self.lstrip_blocks, *sorted(self.extensions), *sorted(how.items()))
    key = (source, name, filename, self.finalize, *settings)
    if key not in _compiled:
        file = _file_of(self.finalize, repr((source, name, filename, *settings)))
        _compiled[key] = _read(file) or _write(file, _compile(self, source, name, filename, **how))
    return _compiled[key]


def _file_of(finalize: Callable[..., Any] | None, rest: str) -> Path | None:
    function = f"{getattr(finalize, '__module__', '')}.{getattr(finalize, '__qualname__', '')}"
    # Local functions have no name by which other processes could know them.
    if _FOLDER is None or "<" in function:
        return None
    return Path(_FOLDER, hashlib.sha256(f"{function} {rest}".encode()).hexdigest())


def _read(file: Path | None) -> CodeType | None:
    if file is None or not file.exists():
        return None
    code = marshal.loads(file.read_bytes())
    assert isinstance(code, CodeType)
    return code


def _write(file: Path | None, code: Any) -> Any:
    # With ``raw=True``, Jinja returns the source of the code.
    if file is not None and isinstance(code, CodeType):
        with tempfile.NamedTemporaryFile(dir=file.parent, delete=False) as written:
            written.write(marshal.dumps(code))
        Path(written.name).rename(file)
    return code
