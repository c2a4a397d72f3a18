"""The page of the study: tables, figures and verdicts, from rows of results."""

from study_grid.page.adopt import adopt as adopt
from study_grid.page.write_page import write_page as write_page
