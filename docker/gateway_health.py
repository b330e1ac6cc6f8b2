"""Exit code 0 when the gateway and all that it needs can work: ``python gateway_health.py URL``."""

import sys
import urllib.error
import urllib.request

SECONDS = 8.0


def main() -> int:
    """Return the exit code, and say on standard error what is wrong."""
    # Never through a proxy, which Docker can put into the environment of every container.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        opener.open(sys.argv[1], timeout=SECONDS).close()
    except urllib.error.HTTPError as error:
        sys.stderr.write(error.read().decode(errors="replace") + "\n")
        return 1
    except OSError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
