"""Numbers alone, in vectors and as arrays, and how functions of them are compiled."""
