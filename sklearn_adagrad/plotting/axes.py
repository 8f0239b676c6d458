"""What all pictures share: where they are drawn, their colours, and what stands beside them."""

# Told apart by colour-blind eyes too: Okabe and Ito (2008), Color Universal Design, without black
# and the yellow that is hardly seen on white.
COLORS = BLUE, VERMILION, *_ = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"
GREY = "#8C8C8C"
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
