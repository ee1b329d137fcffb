"""``com.atproto.lexicon.*``: what others publish. Each file is one method."""
