"""Trains and evaluates: `python run.py --config configs/wsidnet_oasis.py --workdir runs/one`."""

import sys

from jaxsent import startup
from jaxsent.commands import run_py

if __name__ == "__main__":
    startup.restart_with_huge_pages()
    sys.exit(run_py.run(sys.argv))
