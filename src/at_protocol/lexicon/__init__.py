"""Lexicon schemas: typed documents, a catalog of the ones known here, and validation of values against them.

Source: the atproto Lexicon specification, language version 1. ``document`` reads one file, ``linter`` says what is
wrong with it, ``catalog`` finds documents by name and loads them on first use, ``validate`` checks records, parameters,
inputs, outputs and stream messages. Values are those of ``at_protocol.data`` (links are ``Cid``, bytes are ``bytes``):
the forms ``{"$link"}`` and ``{"$bytes"}`` of JSON are gone before a value reaches this package.
"""
