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
    from psa_analysis.charts import (
        chance_chart,
        control_chart,
        progress_chart,
        reliability_chart,
        trajectory_chart,
    )
    from psa_analysis.control import ControlRules, Rebase, xmr
    from psa_analysis.explain import cells_used
    from psa_analysis.pages import (
        banner,
        breaks_table,
        context_table,
        control_table,
        control_words,
        corrections_table,
        coverage_table,
        data_log,
        differences_table,
        findings_table,
        forecast_table,
        key,
        late_table,
        measure_words,
        not_stated_table,
        notes,
        overview_table,
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
    "ControlRules": "control",
    "Rebase": "control",
    "backtest_agreement": "backtest",
    "banner": "pages",
    "breaks_table": "pages",
    "brier": "backtest",
    "cells_used": "explain",
    "context_table": "pages",
    "control_chart": "charts",
    "control_table": "pages",
    "control_words": "pages",
    "corrections_table": "pages",
    "chance_chart": "charts",
    "coverage": "backtest",
    "coverage_table": "pages",
    "data_log": "pages",
    "differences_table": "pages",
    "findings_table": "pages",
    "forecast_table": "pages",
    "key": "pages",
    "late_table": "pages",
    "load_agreement": "register",
    "measure_words": "pages",
    "not_stated_table": "pages",
    "notes": "pages",
    "open_report": "pipeline",
    "overview_table": "pages",
    "parse_period": "periods",
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
    "xmr": "control",
}

__all__ = [
    "ControlRules",
    "Rebase",
    "backtest_agreement",
    "banner",
    "breaks_table",
    "brier",
    "cells_used",
    "chance_chart",
    "context_table",
    "control_chart",
    "control_table",
    "control_words",
    "corrections_table",
    "coverage",
    "coverage_table",
    "data_log",
    "differences_table",
    "findings_table",
    "forecast_table",
    "key",
    "late_table",
    "load_agreement",
    "measure_words",
    "not_stated_table",
    "notes",
    "open_report",
    "overview_table",
    "parse_period",
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
    "xmr",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'psa_analysis' has no attribute '{name}'")
    return getattr(import_module(f"psa_analysis.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
