"""Large bytes that never change: blobs of repositories, pictures. Written whole or not at all, read in pieces.

Contract in ``contract``; ``disk`` keeps files in a folder.
"""
