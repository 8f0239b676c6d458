"""The loops, for a GPU: experimental, as no release was measured on one yet."""
