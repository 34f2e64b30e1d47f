"""The command line: one file a command, each with `configure` (its options) and `run`."""
