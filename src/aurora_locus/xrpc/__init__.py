"""XRPC methods of this server: one file each, named for its NSID, in the folder of the NSID's authority; their table and
dispatcher.
"""
