"""The message of every reason code, by domain package. ``messages`` looks them up."""
