"""`python -m ganbench`, which is how `torchrun` starts it."""

import os
import sys

from ganbench.cli.main import main


def run() -> None:
    """Runs the command line and ends the process with its status."""
    status = main()
    if os.environ.get("WORLD_SIZE", "1") == "1":
        sys.exit(status)
    # Threads of torch's process group may outlive it, and then C++ aborts the process while it tears down its globals
    # ("terminate called without an active exception", one run of ten or so with torch 2.14 and gloo).
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


if __name__ == "__main__":
    run()
