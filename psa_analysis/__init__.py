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
    from psa_analysis.comparison import changes
    from psa_analysis.control import (
        ControlRules,
        Rebase,
        xmr,
    )
    from psa_analysis.families import (
        family_outlook,
        funnel,
        standings,
    )
    from psa_analysis.periods import (
        parse_period,
    )
    from psa_analysis.pipeline import (
        open_report,
    )
    from psa_analysis.places import (
        decompose,
        hotspots,
        what_if,
    )
    from psa_analysis.register.loading import load_agreement
    from psa_analysis.returns.explain import cells_used
    from psa_analysis.show.agreement import (
        differences_table,
        not_stated_table,
        notes,
        targets_table,
    )
    from psa_analysis.show.banner import banner, key
    from psa_analysis.show.changes import changes_table, changes_words
    from psa_analysis.show.commitments import (
        closing_account,
        commitment_counts,
        commitment_key,
        commitment_notes,
        commitment_words,
        commitments_chart,
        commitments_table,
        exceptions_table,
        moved_table,
        unjudged_table,
    )
    from psa_analysis.show.control import control_chart, control_table, control_words
    from psa_analysis.show.effectiveness import (
        basket_contributions_chart,
        basket_contributions_table,
        budgets_table,
        effectiveness_chart,
        effectiveness_table,
        effectiveness_words,
    )
    from psa_analysis.show.families import family_chart, family_table, family_words, standings_table
    from psa_analysis.show.funnels import funnel_chart, funnel_table, funnel_words
    from psa_analysis.show.grant import (
        gains_chart,
        gains_table,
        grant_chances_table,
        grant_chart,
        grant_links_table,
        grant_table,
        grant_words,
        partners_table,
        payments_table,
    )
    from psa_analysis.show.interactive import outturn_sliders
    from psa_analysis.show.links import links_chart, links_table
    from psa_analysis.show.measures import commentary_words, measure_words
    from psa_analysis.show.outturns import outturn_table
    from psa_analysis.show.overview import (
        chance_chart,
        forecast_table,
        overview_table,
        progress_chart,
        state_counts,
    )
    from psa_analysis.show.places import (
        contributions_chart,
        contributions_table,
        contributions_words,
        hotspots_chart,
        hotspots_table,
        hotspots_words,
        what_if_table,
        what_if_words,
    )
    from psa_analysis.show.quality import (
        breaks_table,
        corrections_table,
        data_log,
        findings_table,
        late_table,
        returns_table,
        revisions_table,
    )
    from psa_analysis.show.reliability import (
        coverage_table,
        reference_table,
        reliability_chart,
        reliability_sentences,
        reliability_table,
    )
    from psa_analysis.show.trajectories import (
        context_table,
        readings_table,
        small_multiples,
        trajectory_chart,
    )

_HOMES = {
    "ControlRules": "control",
    "Rebase": "control",
    "backtest_agreement": "backtest",
    "banner": "show.banner",
    "basket_contributions_chart": "show.effectiveness",
    "basket_contributions_table": "show.effectiveness",
    "breaks_table": "show.quality",
    "brier": "backtest",
    "budgets_table": "show.effectiveness",
    "cells_used": "returns.explain",
    "chance_chart": "show.overview",
    "changes": "comparison",
    "changes_table": "show.changes",
    "changes_words": "show.changes",
    "closing_account": "show.commitments",
    "commentary_words": "show.measures",
    "commitment_counts": "show.commitments",
    "commitment_key": "show.commitments",
    "commitment_notes": "show.commitments",
    "commitment_words": "show.commitments",
    "commitments_chart": "show.commitments",
    "commitments_table": "show.commitments",
    "context_table": "show.trajectories",
    "contributions_chart": "show.places",
    "contributions_table": "show.places",
    "contributions_words": "show.places",
    "control_chart": "show.control",
    "control_table": "show.control",
    "control_words": "show.control",
    "corrections_table": "show.quality",
    "coverage": "backtest",
    "coverage_table": "show.reliability",
    "data_log": "show.quality",
    "decompose": "places",
    "differences_table": "show.agreement",
    "effectiveness_chart": "show.effectiveness",
    "effectiveness_table": "show.effectiveness",
    "effectiveness_words": "show.effectiveness",
    "exceptions_table": "show.commitments",
    "family_chart": "show.families",
    "family_outlook": "families",
    "family_table": "show.families",
    "family_words": "show.families",
    "findings_table": "show.quality",
    "forecast_table": "show.overview",
    "funnel": "families",
    "funnel_chart": "show.funnels",
    "funnel_table": "show.funnels",
    "funnel_words": "show.funnels",
    "gains_chart": "show.grant",
    "gains_table": "show.grant",
    "grant_chances_table": "show.grant",
    "grant_chart": "show.grant",
    "grant_links_table": "show.grant",
    "grant_table": "show.grant",
    "grant_words": "show.grant",
    "hotspots": "places",
    "hotspots_chart": "show.places",
    "hotspots_table": "show.places",
    "hotspots_words": "show.places",
    "key": "show.banner",
    "late_table": "show.quality",
    "links_chart": "show.links",
    "links_table": "show.links",
    "load_agreement": "register.loading",
    "measure_words": "show.measures",
    "moved_table": "show.commitments",
    "not_stated_table": "show.agreement",
    "notes": "show.agreement",
    "open_report": "pipeline",
    "outturn_sliders": "show.interactive",
    "outturn_table": "show.outturns",
    "overview_table": "show.overview",
    "parse_period": "periods",
    "partners_table": "show.grant",
    "payments_table": "show.grant",
    "progress_chart": "show.overview",
    "readings_table": "show.trajectories",
    "reference": "backtest",
    "reference_table": "show.reliability",
    "reliability": "backtest",
    "reliability_chart": "show.reliability",
    "reliability_sentences": "show.reliability",
    "reliability_table": "show.reliability",
    "returns_table": "show.quality",
    "revisions_table": "show.quality",
    "small_multiples": "show.trajectories",
    "standings": "families",
    "standings_table": "show.families",
    "state_counts": "show.overview",
    "targets_table": "show.agreement",
    "trajectory_chart": "show.trajectories",
    "unjudged_table": "show.commitments",
    "what_if": "places",
    "what_if_table": "show.places",
    "what_if_words": "show.places",
    "xmr": "control",
}

__all__ = [
    "ControlRules",
    "Rebase",
    "backtest_agreement",
    "banner",
    "basket_contributions_chart",
    "basket_contributions_table",
    "breaks_table",
    "brier",
    "budgets_table",
    "cells_used",
    "chance_chart",
    "changes",
    "changes_table",
    "changes_words",
    "closing_account",
    "commentary_words",
    "commitment_counts",
    "commitment_key",
    "commitment_notes",
    "commitment_words",
    "commitments_chart",
    "commitments_table",
    "context_table",
    "contributions_chart",
    "contributions_table",
    "contributions_words",
    "control_chart",
    "control_table",
    "control_words",
    "corrections_table",
    "coverage",
    "coverage_table",
    "data_log",
    "decompose",
    "differences_table",
    "effectiveness_chart",
    "effectiveness_table",
    "effectiveness_words",
    "exceptions_table",
    "family_chart",
    "family_outlook",
    "family_table",
    "family_words",
    "findings_table",
    "forecast_table",
    "funnel",
    "funnel_chart",
    "funnel_table",
    "funnel_words",
    "gains_chart",
    "gains_table",
    "grant_chances_table",
    "grant_chart",
    "grant_links_table",
    "grant_table",
    "grant_words",
    "hotspots",
    "hotspots_chart",
    "hotspots_table",
    "hotspots_words",
    "key",
    "late_table",
    "links_chart",
    "links_table",
    "load_agreement",
    "measure_words",
    "moved_table",
    "not_stated_table",
    "notes",
    "open_report",
    "outturn_sliders",
    "outturn_table",
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
    "small_multiples",
    "standings",
    "standings_table",
    "state_counts",
    "targets_table",
    "trajectory_chart",
    "unjudged_table",
    "what_if",
    "what_if_table",
    "what_if_words",
    "xmr",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'psa_analysis' has no attribute '{name}'")
    return getattr(import_module(f"psa_analysis.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
