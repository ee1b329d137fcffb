"""Identifiers of the protocol: one per file, each a type made by its one parser.

Validators work on the exact string: nothing is trimmed, folded or normalised on input, and only ASCII counts. Syntax is not
policy: a reserved top-level domain or an unknown DID method is well-formed and fails later, where it is used.
"""
