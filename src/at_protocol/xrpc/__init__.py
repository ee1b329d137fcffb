"""XRPC without HTTP: error bodies and names, query parameters by Lexicon, service tokens.

Source: the atproto HTTP API specification ("XRPC"); where it leaves a choice, the reference server's.
"""
