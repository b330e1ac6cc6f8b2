"""Run a module that must not outlive its parent: `python -m level.child MODULE [ARGUMENTS]`.

Standard input is a pipe whose other end the parent holds: when the parent goes, however it goes,
the pipe ends. That works on every system, unlike the death signals that only Linux has.
"""

import os
import runpy
import signal
import sys
import threading
import time

GRACE_SECONDS = 3.0


def _leave_with_parent() -> None:
    while os.read(0, 4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE_SECONDS)
    os._exit(1)


def main() -> None:
    """Watch the parent, then be the module."""
    threading.Thread(target=_leave_with_parent, daemon=True).start()
    sys.argv = sys.argv[1:]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
