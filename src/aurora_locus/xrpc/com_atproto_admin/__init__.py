"""``com.atproto.admin.*``: what the host decides and sees. Each file is one method; all are for the administration."""
