"""Lexicon schemas: typed documents, a catalog of known documents, and validation of values.

Source: the atproto Lexicon specification, language version 1. ``document`` reads one file, ``linter`` checks it,
``catalog`` finds documents by name and loads them on first use, and ``validate`` checks records, parameters, inputs,
outputs and stream messages. Values are those of ``at_protocol.data`` (links are ``Cid``, bytes are ``bytes``): callers
convert JSON's ``{"$link"}`` and ``{"$bytes"}`` before they pass a value to this package.
"""
