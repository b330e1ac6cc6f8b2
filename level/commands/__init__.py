"""The verbs of the `level` command, a module each: its options, and what it does with them.

Nothing heavy is imported until a verb runs, so that `--help` answers at once.
"""

import argparse

Subparsers = argparse._SubParsersAction
