"""Register: what was agreed: its files, the types of their rows, and their checks."""
