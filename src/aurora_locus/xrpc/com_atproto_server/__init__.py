"""``com.atproto.server.*``: accounts and sessions. Each file is one method, whose ``run`` takes the registry and the
call.
"""
