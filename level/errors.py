"""Why a command failed; each message says what to do."""


class CommandFailed(Exception):
    """The command cannot do what it was asked; exit code 1."""
