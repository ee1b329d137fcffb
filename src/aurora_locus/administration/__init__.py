"""What only the operator may see, beside the protocol's own ``com.atproto.admin.*``."""
