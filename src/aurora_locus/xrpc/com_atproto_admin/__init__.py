"""``com.atproto.admin.*``: what the host can see and decide. Each file is one method, and all are for the
administration.
"""
