"""The public names, each written once; a module is imported when one of its names is used."""

from .analysis.backtest import brier, coverage, reference, reliability
from .analysis.control import xmr
from .periods import parse_period
from .pipeline import open_report
from .register.loading import load_agreement
from .show.agreement import links_chart, notes, targets_table
from .show.commitments import (
    commitment_words,
    commitments_chart,
    commitments_table,
    exceptions_table,
    moved_table,
    unjudged_table,
)
from .show.comparison import changes, changes_table, changes_words
from .show.control import control_chart, control_table, control_words
from .show.effectiveness import (
    basket_contributions_chart,
    basket_contributions_table,
    budgets_table,
    effectiveness_chart,
    effectiveness_table,
    effectiveness_words,
)
from .show.explain import cells_used
from .show.families import (
    family_chart,
    family_outlook,
    family_table,
    family_words,
    funnel,
    funnel_chart,
    funnel_table,
    funnel_words,
    standings,
    standings_table,
)
from .show.grant import (
    gains_chart,
    gains_table,
    grant_chances_table,
    grant_chart,
    grant_table,
    grant_words,
    partners_table,
    payments_table,
)
from .show.measures import commentary_words, measure, measure_words
from .show.opening import banner, key
from .show.outturns import outturn_sliders, outturn_table
from .show.overview import (
    chance_chart,
    forecast_table,
    overview_table,
    progress_chart,
    state_counts,
)
from .show.parts import (
    contributions_chart,
    contributions_table,
    contributions_words,
    decompose,
    hotspots,
    hotspots_chart,
    hotspots_table,
    hotspots_words,
    what_if,
    what_if_table,
    what_if_words,
)
from .show.quality import late_table
from .show.reliability import (
    backtest_agreement,
    coverage_table,
    reference_table,
    reliability_chart,
    reliability_sentences,
    reliability_table,
)
from .show.tables import sentence, table
from .show.trajectories import context_table, readings_table, small_multiples, trajectory_chart
