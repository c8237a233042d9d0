"""TELLING: a run folder becomes one HTML file that a person enjoys reading. It reads files, never a model.

contents   what stands in the folder       wording   numbers as people write them
chart, axis  SVG that follows the page's colours        curves    what is drawn
rates      the learning rate of each step
headline, classes, pictures, repeat, layers   one section each       advice   what to look at
page       everything into the template, and the file onto the disk
"""

from striate.report.page import write_report

__all__ = ["write_report"]
