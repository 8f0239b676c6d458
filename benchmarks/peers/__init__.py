"""Learners outside scikit-learn. Each file imports its package only when it is asked to.

``contestants(X, y)`` returns what ``measure`` takes; it raises ImportError where the package
is missing. Rows are handed over in the form that the package reads fastest, made beforehand.
"""
