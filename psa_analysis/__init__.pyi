"""The public names, each written once; a module is imported when one of its names is used."""

from .pipeline import open_report
from .register.loading import load_agreement
from .show.agreement import banner, key, notes, targets
from .show.chart import figure
from .show.comparison import changes
from .show.control import control_chart
from .show.effectiveness import cost_effectiveness
from .show.families import family, funnel
from .show.grant import outturns, partners, payments, reward
from .show.measures import cells_used, commentary, further, measure
from .show.overview import decisions, scorecard, standing
from .show.parts import by_part, hotspots, what_if
from .show.tables import table
from .show.trajectories import context
