"""``com.atproto.lexicon.*``: published Lexicons. Each file is one method."""
