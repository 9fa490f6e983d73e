"""A terminal of the tests' own, and all that a process writes to it."""
import fcntl
import os
import pty
import select
import struct
import subprocess
import termios
import time


def on_screen(command, stream, columns=80, seen=lambda process, text: None, limit=300, env=None):
    """Exit status of a command, and what it wrote to `stream` ("stdout" or "stderr"), a terminal of so many columns.

    `seen` is called with the process and all so far whenever more was read.
    """
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    other = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, stream: slave}
    process = subprocess.Popen([str(part) for part in command], env=env, **other)
    text, end = b"", time.monotonic() + limit
    try:
        # The slave stays open here until all is read: a system may drop what nobody has read when the last one closes it.
        while True:
            ended = process.poll() is not None
            if select.select([master], [], [], 0.01)[0]:
                text += os.read(master, 1 << 16)
                seen(process, text)
            elif ended:
                return process.returncode, text.decode()
            assert time.monotonic() < end, text
    finally:
        process.kill()
        process.wait()
        os.close(slave)
        os.close(master)
