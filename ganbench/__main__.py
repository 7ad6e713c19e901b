"""`python -m ganbench`, which is how `torchrun` starts it."""

import sys

from ganbench.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
