"""Models in files that hold arrays and a description of them, and run no code."""
