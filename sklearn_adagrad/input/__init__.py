"""Raw input becomes arrays that an engine may trust, or an error that names the row."""
