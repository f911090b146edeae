"""Follow a Local Public Service Agreement: what a notebook calls.

    import psa_analysis as psa
    report = psa.open_report("2004-05 Q3")
    psa.measure(report, "N13")

The public names stand in ``__init__.pyi``.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
