"""First process of a sandbox's PID namespace: when its owner dies or lets go, the kernel ends everything in it.

Started as ``python -I warden.py <pidfd of the owner>``; standard input is the leash. A pidfd and no
``PR_SET_PDEATHSIG``: that signal comes when the *thread* that started a child ends, and the region starts nodes
from threads that come and go.
"""

import select
import signal
import sys


def main() -> None:
    """Say ``ready``, wait for the owner's end, and end."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # adopted children are reaped by the kernel
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the owner, who then closes the plane
    poll = select.poll()
    poll.register(int(sys.argv[1]), select.POLLIN)
    poll.register(sys.stdin.fileno(), select.POLLIN | select.POLLHUP)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    poll.poll()


if __name__ == "__main__":
    main()
