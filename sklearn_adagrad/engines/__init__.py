"""Where the loops run. One engine so far: this thread."""
