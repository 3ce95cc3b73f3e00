"""The papers' tables: what they print, which runs of ours fill them, and how to make those."""

from jaxsent.paper.table import Cell, Run, Table
from jaxsent.paper.tables import TABLES

__all__ = ["TABLES", "Cell", "Run", "Table"]
