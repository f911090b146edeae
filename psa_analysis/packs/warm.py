"""What every notebook needs, imported and tried once, for all that are forked from this process."""

import gc
import os
from importlib import import_module

from nbformat import v4

import psa_analysis
from psa_analysis.packs.page import exporter
from psa_analysis.show.chart import only_words

# Only the start of this process needs it (:mod:`psa_analysis.packs.children`).
os.environ.pop("PYTHONSAFEPATH", None)
# Or the kernel's debugger, which nobody uses here, would say so on the terminal.
os.environ.setdefault("PYDEVD_DISABLE_FILE_VALIDATION", "1")

libraries = ("ipykernel.debugger", "matplotlib.backends.backend_agg", "seaborn")
for name in (*libraries, "psa_analysis.packs.engine", "psa_analysis.packs.workbook"):
    import_module(name)
for name in dir(psa_analysis):
    getattr(psa_analysis, name)

# Fonts, styles and templates are found and read at their first use.
only_words("A picture")
exporter().from_notebook_node(v4.new_notebook(cells=[v4.new_markdown_cell("# A page")]))

# Or the collector of each child looks at all of this again and copies what the children share:
# the pages then take 16.7 s of processor time instead of 14.9 s.
gc.freeze()
