"""The page a run leaves behind: one HTML file that opens anywhere, and its numbers as JSON."""

from jaxsent.report.page import write_report
from jaxsent.report.pictures import Example, overlay
from jaxsent.report.words import network

__all__ = ["Example", "network", "overlay", "write_report"]
