"""Reports: from a run's folder to a page, a grid and tables."""

from dgn.report.grid import sheet, write_grid
from dgn.report.page import write_page

__all__ = ["sheet", "write_grid", "write_page"]
