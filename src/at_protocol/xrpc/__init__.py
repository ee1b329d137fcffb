"""XRPC without the HTTP: error bodies and names, query parameters by Lexicon, inter-service tokens.

Source: the atproto HTTP API specification ("XRPC"); where it leaves a choice, the reference server's.
"""
