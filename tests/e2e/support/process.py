"""Running programs: every call has a time limit, every result keeps what the person would have read."""
import os
import shutil
import signal
import subprocess
from dataclasses import dataclass

ALONE = os.path.join(os.path.dirname(__file__), "alone")  # runs a command in a mount namespace of its own


@dataclass
class Result:
    argv: list
    code: int
    out: str
    err: str

    @property
    def text(self):
        return self.out + self.err

    def __contains__(self, needle):
        return needle in self.text


def program(name, *places):
    """The path of a program. A missing one fails the test: scripts/test installs them all."""
    for place in places:
        if os.access(place, os.X_OK):
            return place
    found = shutil.which(name)
    assert found, f"{name} is not installed; scripts/test installs it"
    return found


def environment(**more):
    """A small environment of known content; None removes."""
    env = {"PATH": os.environ.get("PATH", "/usr/sbin:/usr/bin:/sbin:/bin"), "LC_ALL": "C.UTF-8", "TZ": "UTC"}
    for name in ("HOME", "TMPDIR", "XDG_RUNTIME_DIR"):
        if name in os.environ:
            env[name] = os.environ[name]
    for name, value in more.items():
        if value is None:
            env.pop(name, None)
        else:
            env[name] = str(value)
    return env


def run(argv, *, code=0, env=None, stdin=None, timeout=120, cwd=None):
    """Runs to the end. `code`: the exit status that is asked for, None = any, "fail" = any but 0."""
    argv = [str(a) for a in argv]
    feed = stdin.encode() if isinstance(stdin, str) else stdin
    done = subprocess.run(argv, input=feed if feed is not None else b"", stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          env=env if env is not None else environment(), timeout=timeout, cwd=cwd, check=False)
    result = Result(argv, done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace"))
    told = f"{' '.join(argv)}\nexit {result.code}\nout: {result.out[-3000:]}\nerr: {result.err[-3000:]}"
    if code == "fail":
        assert result.code != 0, "should have failed: " + told
    elif code is not None:
        assert result.code == code, f"exit {code} wanted: " + told
    return result


def end_process(process):
    """SIGTERM, and after 40 s SIGKILL. None is nobody."""
    if process is None:
        return
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(40)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
