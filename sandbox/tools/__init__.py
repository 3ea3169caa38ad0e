"""Stand-ins of asbackup and asrestore on the official client: the same options, words, files and exit codes."""
