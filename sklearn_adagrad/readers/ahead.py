"""An iterator that is run ahead in a thread of its own."""

import queue
import threading

_CHUNK, _END, _ERROR = range(3)
_PATIENCE = 0.1  # seconds from one look whether anybody still waits for the chunks to the next


def run_ahead(chunks, depth):
    """Yield what ``chunks`` yields, while up to ``depth`` more are being made."""
    made, stopped = queue.Queue(depth), threading.Event()
    thread = threading.Thread(target=_run, args=(chunks, made, stopped), daemon=True)
    try:
        thread.start()
        while True:
            try:
                what, chunk = made.get(timeout=_PATIENCE)  # without one, Windows defers Ctrl-C
            except queue.Empty:
                continue
            if what == _ERROR:
                raise chunk
            if what == _END:
                return
            yield chunk
    finally:
        stopped.set()
        if thread.is_alive():
            thread.join(10 * _PATIENCE)  # not for ever: it may wait for a stream that says nothing


def _run(chunks, made, stopped):
    try:
        for chunk in chunks:
            if not _put((_CHUNK, chunk), made, stopped):
                break
        _put((_END, None), made, stopped)
    except BaseException as error:
        _put((_ERROR, error), made, stopped)
    finally:
        chunks.close()


def _put(item, made, stopped):
    """Whether ``item`` found room before all was stopped."""
    while not stopped.is_set():
        try:
            made.put(item, timeout=_PATIENCE)
        except queue.Full:
            continue
        return True
    return False
