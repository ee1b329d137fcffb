"""HTML forms, shared by all servers: see ``groundwork.http.forms``."""

from groundwork.http.forms import EMPTY, MAX_FIELDS, Typed, local_path, must_be_ours, read_form, typed_again

__all__ = ["EMPTY", "MAX_FIELDS", "Typed", "local_path", "must_be_ours", "read_form", "typed_again"]
