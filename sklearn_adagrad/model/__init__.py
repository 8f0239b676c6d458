"""What a model consists of: its rule with all numbers, its state, and how both may change."""
