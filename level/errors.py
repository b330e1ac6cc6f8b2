"""Why a command failed; each message says what to do."""

NOT_AS_ASKED = 3
"""Exit code of a command that did its work and found what it was asked not to be so."""


class CommandFailed(Exception):
    """The command cannot do what it was asked."""

    exit_code = 1


class WrongUsage(CommandFailed):
    """The command was asked for what it can never do, whatever the files hold."""

    exit_code = 2
