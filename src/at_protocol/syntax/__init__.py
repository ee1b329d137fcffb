"""Identifiers of the protocol: one per file, each a type that only its parser creates.

Parsers validate the exact string. Nothing is trimmed, case-folded or normalised first, and only ASCII is allowed.
Syntax is not policy: a reserved top-level domain or an unknown DID method is well-formed and fails later, where it is
used.
"""
