"""Crowds of connections that mean no good, from addresses of their own (127.0.0.2 and on), and what a server's process
holds while they are there."""
import collections
import errno
import itertools
import os
import selectors
import socket
import subprocess
import threading
import time

IN_PROGRESS = (0, errno.EINPROGRESS)


def source(number, per_address=1000):
    """The address that the connection of this number comes from."""
    return f"127.0.0.{2 + number // per_address % 250}"


def connect_from(address, port, timeout=30):
    """A blocking connection from that loopback address."""
    return socket.create_connection(("127.0.0.1", port), timeout=timeout, source_address=(address, 0))


class Crowd(threading.Thread):
    """Holds `count` connections open and opens anew what the server closes.

    first        sent when a connection is made
    drip, every  sent again and again after so many seconds; nothing when empty
    reads        whether answers are read; a reader that does not gets a small receive buffer
    back         seconds until a closed one comes back
    """

    def __init__(self, port, count, first=b"", drip=b"", every=1.0, reads=True, per_address=1000, back=0.0):
        super().__init__(daemon=True)
        self.port, self.count, self.first, self.drip, self.every, self.reads = port, count, first, drip, every, reads
        self.per_address, self.back = per_address, back
        self.selector, self.end = selectors.DefaultSelector(), threading.Event()
        self.numbers, self.free = itertools.count(), collections.deque()  # (from when on, number)
        self.waiting, self.held = {}, {}
        self.opened = self.closed = 0

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.end.set()
        self.join()

    def run(self):
        due = time.monotonic() + self.every
        while not self.end.is_set():
            self.fill()
            for key, events in self.selector.select(0.05):
                self.made(key.fileobj) if events & selectors.EVENT_WRITE else self.heard(key.fileobj)
            if self.drip and time.monotonic() >= due:
                due = time.monotonic() + self.every
                for sock in list(self.held):
                    self.say(sock, self.drip)
        for sock in [*self.held, *self.waiting]:
            sock.close()
        self.selector.close()

    def fill(self):
        missing = self.count - len(self.held) - len(self.waiting) - len(self.free)
        numbers = [next(self.numbers) for _ in range(min(missing, 500))]
        while self.free and self.free[0][0] <= time.monotonic() and len(numbers) < 500:
            numbers.append(self.free.popleft()[1])
        for number in numbers:
            self.open(number)

    def come_back(self, number):
        self.free.append((time.monotonic() + self.back, number))

    def open(self, number):
        sock = socket.socket()
        sock.setblocking(False)
        if not self.reads:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.setsockopt(socket.SOL_IP, getattr(socket, "IP_BIND_ADDRESS_NO_PORT", 24), 1)
        sock.bind((source(number, self.per_address), 0))
        if sock.connect_ex(("127.0.0.1", self.port)) not in IN_PROGRESS:
            sock.close()
            self.come_back(number)
            return
        self.waiting[sock] = number
        self.selector.register(sock, selectors.EVENT_WRITE)

    def made(self, sock):
        number = self.waiting.pop(sock)
        self.selector.unregister(sock)
        if sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            sock.close()
            self.come_back(number)
            return
        self.opened += 1
        self.held[sock] = number
        self.selector.register(sock, selectors.EVENT_READ) if self.reads else None
        if self.first:
            self.say(sock, self.first)

    def heard(self, sock):
        try:
            if sock.recv(65536):
                return
        except BlockingIOError:
            return
        except OSError:
            pass
        self.drop(sock)

    def say(self, sock, data):
        try:
            sock.send(data)
        except BlockingIOError:
            pass
        except OSError:
            self.drop(sock)

    def drop(self, sock):
        number = self.held.pop(sock, None)
        if number is None:
            return
        self.closed += 1
        self.come_back(number)
        if self.reads:
            self.selector.unregister(sock)
        sock.close()


def resident(pid, name="VmRSS"):
    """Bytes; VmHWM is the highest ever."""
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        return next(int(line.split()[1]) for line in status if line.startswith(name + ":")) * 1024


def processor_time(pid):
    """Seconds that the process has used."""
    with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
        fields = stat.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def limit_descriptors(pid, soft):
    """The soft limit of open files of a running process."""
    subprocess.run(["prlimit", f"--pid={pid}", f"--nofile={soft}:"], check=True)
