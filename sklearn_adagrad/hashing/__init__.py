"""Fields of any table, as numbers, names and texts, become sparse rows."""
