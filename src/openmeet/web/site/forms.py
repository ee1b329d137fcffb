"""HTML forms, shared by all servers: see ``groundwork.http.forms``."""

from groundwork.http.forms import EMPTY, MAX_FIELDS, Typed, local_path, read_form, require_same_origin, typed_again

__all__ = ["EMPTY", "MAX_FIELDS", "Typed", "local_path", "read_form", "require_same_origin", "typed_again"]
