"""The classifier and the regressor, and how they are trained."""
