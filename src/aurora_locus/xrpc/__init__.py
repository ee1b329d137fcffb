"""XRPC methods of this server, with their table and dispatcher. Each method is in a file named after it, in a folder
named after the rest of its NSID.
"""
