"""``com.atproto.repo.*``: reading and writing the records and blobs of repositories on this server."""
