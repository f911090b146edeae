"""Follow a Local Public Service Agreement: what a notebook calls.

    import psa_analysis as psa
    report = psa.open_report("2004-05 Q3")
    psa.trajectory_chart(report, "N13")

Modules are imported when one of their names is first used, so that the command line's help
does not wait for the scientific libraries.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from psa_analysis.backtest import (
        backtest_agreement,
        brier,
        coverage,
        reference,
        reliability,
    )
    from psa_analysis.changes import changes
    from psa_analysis.charts import (
        chance_chart,
        gains_chart,
        grant_chart,
        links_chart,
        progress_chart,
        reliability_chart,
        trajectory_chart,
    )
    from psa_analysis.explain import cells_used
    from psa_analysis.pages import (
        banner,
        breaks_table,
        changes_table,
        changes_words,
        context_table,
        corrections_table,
        coverage_table,
        data_log,
        differences_table,
        findings_table,
        forecast_table,
        gains_table,
        grant_chances_table,
        grant_links_table,
        grant_table,
        grant_words,
        key,
        late_table,
        links_table,
        measure_words,
        not_stated_table,
        notes,
        overview_table,
        partners_table,
        payments_table,
        readings_table,
        reference_table,
        reliability_sentences,
        reliability_table,
        returns_table,
        revisions_table,
        state_counts,
        targets_table,
    )
    from psa_analysis.periods import parse_period
    from psa_analysis.pipeline import open_report
    from psa_analysis.register import load_agreement

_HOMES = {
    "backtest_agreement": "backtest",
    "banner": "pages",
    "breaks_table": "pages",
    "brier": "backtest",
    "cells_used": "explain",
    "chance_chart": "charts",
    "changes": "changes",
    "changes_table": "pages",
    "changes_words": "pages",
    "context_table": "pages",
    "corrections_table": "pages",
    "coverage": "backtest",
    "coverage_table": "pages",
    "data_log": "pages",
    "differences_table": "pages",
    "findings_table": "pages",
    "forecast_table": "pages",
    "gains_chart": "charts",
    "gains_table": "pages",
    "grant_chances_table": "pages",
    "grant_chart": "charts",
    "grant_links_table": "pages",
    "grant_table": "pages",
    "grant_words": "pages",
    "key": "pages",
    "late_table": "pages",
    "links_chart": "charts",
    "links_table": "pages",
    "load_agreement": "register",
    "measure_words": "pages",
    "not_stated_table": "pages",
    "notes": "pages",
    "open_report": "pipeline",
    "overview_table": "pages",
    "parse_period": "periods",
    "partners_table": "pages",
    "payments_table": "pages",
    "progress_chart": "charts",
    "readings_table": "pages",
    "reference": "backtest",
    "reference_table": "pages",
    "reliability": "backtest",
    "reliability_chart": "charts",
    "reliability_sentences": "pages",
    "reliability_table": "pages",
    "returns_table": "pages",
    "revisions_table": "pages",
    "state_counts": "pages",
    "targets_table": "pages",
    "trajectory_chart": "charts",
}

__all__ = [
    "backtest_agreement",
    "banner",
    "breaks_table",
    "brier",
    "cells_used",
    "chance_chart",
    "changes",
    "changes_table",
    "changes_words",
    "context_table",
    "corrections_table",
    "coverage",
    "coverage_table",
    "data_log",
    "differences_table",
    "findings_table",
    "forecast_table",
    "gains_chart",
    "gains_table",
    "grant_chances_table",
    "grant_chart",
    "grant_links_table",
    "grant_table",
    "grant_words",
    "key",
    "late_table",
    "links_chart",
    "links_table",
    "load_agreement",
    "measure_words",
    "not_stated_table",
    "notes",
    "open_report",
    "overview_table",
    "parse_period",
    "partners_table",
    "payments_table",
    "progress_chart",
    "readings_table",
    "reference",
    "reference_table",
    "reliability",
    "reliability_chart",
    "reliability_sentences",
    "reliability_table",
    "returns_table",
    "revisions_table",
    "state_counts",
    "targets_table",
    "trajectory_chart",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'psa_analysis' has no attribute '{name}'")
    return getattr(import_module(f"psa_analysis.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
