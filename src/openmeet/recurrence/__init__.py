"""Rules of recurring events as RFC 5545 writes them: checked, expanded in wall-clock time, said in words. No input or output."""
