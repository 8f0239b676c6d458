"""The mathematics, and nothing else: losses, update rules, wrappers, penalties."""
