"""Returns: from what a partner sends to clean observations, and what is doubtful in them."""
