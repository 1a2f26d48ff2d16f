"""Programs that scenarios run inside a sandbox; those that look around print JSON."""

LOOK = """
import json, os, sys
status = dict(line.split(":", 1) for line in open("/proc/self/status").read().splitlines())
def read(path):
    try:
        return open(path, "rb").read().decode("utf-8", "replace")
    except OSError as error:
        return "refused: " + type(error).__name__
def names(path):
    try:
        return sorted(os.listdir(path))
    except OSError as error:
        return ["refused: " + type(error).__name__]
OOM = "/proc/self/oom_score_adj"
def lowered():
    try:
        with open(OOM, "w") as file:
            return file.write("0")
    except OSError as error:
        return type(error).__name__
fds = [int(name) for name in os.listdir("/proc/self/fd")]
print(json.dumps({
    "uid": os.getuid(), "gid": os.getgid(), "groups": os.getgroups(),
    "caps": {name: status[name].strip() for name in ("CapInh", "CapPrm", "CapEff", "CapAmb")},
    "no_new_privs": status["NoNewPrivs"].strip(), "seccomp": status["Seccomp"].strip(),
    "fds": sorted(fd for fd in fds if os.path.exists(f"/proc/self/fd/{fd}")),
    "env": dict(os.environ), "cwd": os.getcwd(), "argv": sys.argv[1:],
    "version": sys.version, "prefix": sys.prefix,
    "pids": [int(name) for name in names("/proc") if name.isdigit()],
    "root": names("/"), "source": names(sys.argv[1]),
    "environ_1": read("/proc/1/environ"), "stdin": sys.stdin.read(),
    "oom": read(OOM), "lowered": lowered(), "now": read(OOM),
}))
"""

NAMESPACES = """
import ctypes, json, os
libc = ctypes.CDLL(None, use_errno=True)
flags = {"user": 0x10000000, "mount": 0x20000, "pid": 0x20000000, "net": 0x40000000}
answers = {}
for name, flag in flags.items():
    child = os.fork()
    if child == 0:
        os._exit(0 if libc.unshare(flag) == 0 else ctypes.get_errno())
    answers[name] = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
print(json.dumps(answers))
"""

NETWORK = """
import json, socket, sys
answers = {}
families = {"inet": socket.AF_INET, "inet6": socket.AF_INET6, "netlink": 16, "vsock": 40}
for name, family in families.items():
    try:
        socket.socket(family, socket.SOCK_DGRAM if name != "netlink" else socket.SOCK_RAW).close()
        answers[name] = "open"
    except OSError as error:
        answers[name] = type(error).__name__
try:
    socket.create_connection(("127.0.0.1", int(sys.argv[1])), timeout=2).close()
    answers["connect"] = "open"
except OSError as error:
    answers["connect"] = type(error).__name__
one, two = socket.socketpair()
one.send(b"x")
answers["pair"] = two.recv(1).decode()
print(json.dumps(answers))
"""

WRITE = """
import json, os
places = {"/", "/sub", "/etc", "/usr", "/dev", "/proc", "/sys", "/var/tmp", "/run"}
places.add(os.environ["HOME"])
with open("/proc/self/mountinfo") as mounts:
    places |= {line.split()[4] for line in mounts}
for top in list(places):
    for folder, below, _ in os.walk(top):
        below[:] = [] if top in ("/proc", "/usr", "/sys") else below[:50]
        places.add(folder)
written = []
for place in sorted(places):
    name = os.path.join(place, "trace")
    try:
        with open(name, "w") as file:
            file.write("x")
        os.unlink(name)
        written.append(place)
    except OSError:
        pass
print(json.dumps({"written": written, "tried": len(places)}))
"""

READ = """
import json, os, sys
answers = {}
for path in sys.argv[1:]:
    try:
        answers[path] = sorted(os.listdir(path)) if os.path.isdir(path) else open(path).read()
    except OSError as error:
        answers[path] = "refused: " + type(error).__name__
print(json.dumps(answers))
"""

BURN = """
import os, time, sys
def burn(seconds):
    until = time.process_time() + seconds
    while time.process_time() < until:
        pass
"""

STUBBORN = """
import os, signal, time
for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGXCPU):
    signal.signal(number, signal.SIG_IGN)
for _ in range(5):
    if os.fork() == 0:
        break
print("up", flush=True)
while True:
    time.sleep(100)
"""

DAEMONS = """
import os, time
for _ in range(10):
    if os.fork() == 0:
        os.setsid()
        if os.fork():
            os._exit(0)
        print("up", flush=True)
        time.sleep(1000)
        os._exit(0)
while True:
    time.sleep(100)
"""

BOMB = """
import os
print("up", flush=True)
while True:
    try:
        os.fork()
    except OSError:
        pass
"""

FROZEN = """
import os, signal, time
if os.fork() == 0:
    os.kill(os.getpid(), signal.SIGSTOP)
print("up", flush=True)
os.kill(os.getpid(), signal.SIGSTOP)
"""

TREES = {"stubborn": STUBBORN, "daemons": DAEMONS, "bomb": BOMB, "frozen": FROZEN}

UNSEEN_END = """
import os, signal, sys, time
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
if os.fork() == 0:
    block = bytearray(150 * 2**20)
    block[::4096] = b'x' * len(block[::4096])
    print('up', flush=True)
    while not os.path.exists(sys.argv[1] + '/go'):
        time.sleep(0.01)
    os._exit(0)
try:
    os.wait()
except ChildProcessError:
    print('gone', flush=True)
time.sleep(1000)
"""
"""A large child that is never reaped, as if its namespace were killed."""
