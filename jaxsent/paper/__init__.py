"""The papers' tables: what they print, which runs of ours fill them, and how to make those."""

from jaxsent.paper.tables import TABLES, Cell, Run, Table

__all__ = ["TABLES", "Cell", "Run", "Table"]
