"""Results on disk to pages, grids and tables; reads files alone."""

from dgn.report.grid import write_grid
from dgn.report.merge import merge
from dgn.report.page import write_page
from dgn.report.sweep import write_sweep

__all__ = ["merge", "write_grid", "write_page", "write_sweep"]
