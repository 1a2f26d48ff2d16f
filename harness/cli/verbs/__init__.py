"""One verb a file, each defining `COMMAND`; nothing heavy is imported at the top of these files."""
