"""The 20 newsgroups, or other texts, from a file of JSON lines; its reader needs matplotlib."""

from pathlib import Path


def load(path):
    """Texts and labels to learn, and texts and labels to test."""
    from examples.text_pipeline import json_lines

    return json_lines(Path(path), None)
