"""`python -m jaxsent`: the command `jaxsent`."""

import sys

from jaxsent.commands import main

if __name__ == "__main__":
    sys.exit(main())
