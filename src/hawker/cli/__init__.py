"""The command line: machine-readable JSON on stdout, people's text on stderr, exit codes 0, 1 and 2."""
