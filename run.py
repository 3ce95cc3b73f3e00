"""Trains and evaluates: `python run.py --config configs/wsidnet_oasis.py --workdir runs/one`."""

import sys

from jaxsent.cli import run

if __name__ == "__main__":
    sys.exit(run(sys.argv))
