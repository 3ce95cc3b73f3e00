"""Trains and evaluates: `python run.py --config configs/wsidnet_oasis.py --workdir runs/one`."""

import sys

from jaxsent import cli, startup

if __name__ == "__main__":
    startup.restart_with_huge_pages()
    sys.exit(cli.run(sys.argv))
