"""XRPC without the HTTP: error bodies and names, query parameters by Lexicon, inter-service tokens.

Source: the atproto HTTP API specification ("XRPC"), with the choices of our protocol paper where it leaves one.
"""
