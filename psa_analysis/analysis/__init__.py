"""Figures worked out from frames."""
