"""XRPC without HTTP: error bodies and names, query parameters by Lexicon, service tokens.

Source: the atproto HTTP API specification ("XRPC"). Where it leaves a choice, this follows the reference server.
"""
