"""Start-up of the Python processes that the tool starts: the engine, sam and pip. Python imports this module by itself,
because the tool puts its directory on their PYTHONPATH.

* Nagle's algorithm is switched off for the Runtime API that the engine serves to its functions: it costs about 40 ms
  on every Task.
* Each process has a session, or at least a process group, of its own: the engine's functions are in it, and the whole of
  it can be ended at once.
* Standard input is the leash. When it reaches its end, the tool is gone, and the process group ends itself; a line
  `keep` takes the leash off.
* A shared lock on a file says that the engine's directory is in use.
"""

import fcntl
import os
import signal
import socketserver
import threading

socketserver.StreamRequestHandler.disable_nagle_algorithm = True


def _hold_lock(path):
    # Held by the open descriptor until the process ends; the name keeps the object from being collected.
    global _lock
    _lock = open(path, "rb")
    fcntl.flock(_lock, fcntl.LOCK_SH)


def _watch_leash():
    # Read without a buffer: a buffer's lock, held by this thread, would be in the way when Python shuts down.
    if os.read(0, 16).strip() != b"keep":
        os.killpg(os.getpgid(0), signal.SIGKILL)


def _start():
    # Taken out of the environment, so that neither functions nor other children see them.
    leash = os.environ.pop("P1_LOCAL_LEASH", None)
    lock = os.environ.pop("P1_LOCAL_LOCK", None)
    if lock is None and leash is None:
        return
    if os.getpgid(0) != os.getpid():
        os.setsid()
    # A platform that is left up outlives the terminal it was started from.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    if lock is not None:
        _hold_lock(lock)
    if leash is not None:
        threading.Thread(target=_watch_leash, daemon=True, name="leash").start()


_start()
