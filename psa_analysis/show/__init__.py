"""Show: words, tables and pictures for readers; a module for each thing that is shown."""
