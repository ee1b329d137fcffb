"""Account migration from one PDS to another, as its owner: repeatable steps.

Source: the atproto account migration guide. No state is kept between two attempts except on the servers: an existing
account is signed into, an identical repository is left alone, existing blobs are not fetched, an identity that names
the new server is not changed. So after any interruption the same call continues. No secret is written down. ``migrate``
runs the steps in order; each can be called on its own.
"""
