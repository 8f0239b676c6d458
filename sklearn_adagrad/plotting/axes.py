"""What all pictures share: where they are drawn, their colours, and what stands beside them."""

VERMILION = "#D55E00"  # told apart from all colours of viridis by colour-blind eyes too
BESIDE = {"loc": "upper left", "bbox_to_anchor": (1.0, 1.0), "frameon": False, "alignment": "left"}


def axes_for(display, ax, **figure):
    """``ax``, or those of a new figure; ``display`` keeps them."""
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError(
            f"{type(display).__name__} needs matplotlib, which cannot be imported: "
            'pip install "sklearn-adagrad[plot]"'
        ) from error
    if ax is None:
        ax = plt.subplots(layout="constrained", **figure)[1]
    display.ax_, display.figure_ = ax, ax.figure
    return ax
