"""Ctrl-C while a stream is learnt."""

import signal
import threading


class Interrupts:
    """Within ``with``, Ctrl-C lets the chunk at hand be learnt first.

    ``asked`` says whether it was pressed. Where nothing is half done, ``waiting``, it raises
    KeyboardInterrupt at once, as everywhere when it is pressed a second time. In other threads than
    the first, and where Ctrl-C means something else already, nothing is changed.
    """

    def __init__(self):
        self.asked, self.waiting = False, False

    def __enter__(self):
        self._is_ours = (
            threading.current_thread() is threading.main_thread()
            and signal.getsignal(signal.SIGINT) is signal.default_int_handler
        )
        if self._is_ours:
            signal.signal(signal.SIGINT, self._ask)
        return self

    def __exit__(self, *error):
        if self._is_ours:
            signal.signal(signal.SIGINT, signal.default_int_handler)

    def _ask(self, number, frame):
        if self.asked or self.waiting:
            self.asked = True
            raise KeyboardInterrupt
        self.asked = True
