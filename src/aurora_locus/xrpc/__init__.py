"""The server's methods: one file each, named as its NSID, in the folder of the NSID's authority; the table of them and its
dispatcher.
"""
