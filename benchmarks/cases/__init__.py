"""One benchmark per file; ``registry`` lists them."""
