#!/usr/bin/env python3
"""chaos.py [TRIES]: interrupts and kills `unhinged train` and `unhinged kernel compute`, damages their files and fills their disk, TRIES times each (20).

Every try ends in one of two ways, or it is lost: the result is that of an undisturbed run, byte for byte, or the program refuses
with an error that names a file. It takes some ten minutes and is not part of CI; the README has its figures. The training is a
perceptron on made-up images in MNIST's format, on the pure-Go backend; the kernel is one of infinite width. The full disk needs
root, for a small file system in memory.
"""
import hashlib
import os
import pathlib
import random
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
import zlib

TRIES = int(sys.argv[1]) if len(sys.argv) > 1 else 20
ROOT = pathlib.Path(__file__).resolve().parent.parent
rng = random.Random(1)
counts = {}  # scenario: [tries, ended identical, refused, lost]


def count(scenario, outcome):
    row = counts.setdefault(scenario, [0, 0, 0, 0])
    row[0] += 1
    row[{"identical": 1, "refused": 2, "lost": 3}[outcome]] += 1
    print(f"{scenario}: {outcome}", flush=True)


def idx(path, sizes, content):
    path.write_bytes(bytes([0, 0, 8, len(sizes)]) + b"".join(struct.pack(">I", n) for n in sizes) + content)


def make_data(folder):
    folder.mkdir()
    for part, n in (("train", 600), ("t10k", 100)):
        labels = bytes(i % 3 for i in range(n))
        pixels = bytes((rng.randrange(60) + (150 if row == label else 0)) for label in labels for row in range(8) for _ in range(8))
        idx(folder / f"{part}-images-idx3-ubyte", [n, 8, 8], pixels)
        idx(folder / f"{part}-labels-idx1-ubyte", [n], labels)


def make_pictures(folder):
    """Images of three classes as grey PNG files."""
    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
    for part, n in (("train", 20), ("test", 5)):
        for label in range(3):
            (folder / part / f"class{label}").mkdir(parents=True)
            for i in range(n):
                rows = b"".join(b"\0" + bytes(rng.randrange(60) + (150 if row == label else 0) for _ in range(8)) for row in range(8))
                (folder / part / f"class{label}" / f"{i}.png").write_bytes(
                    b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 8, 8, 8, 0, 0, 0, 0)) + chunk(b"IDAT", zlib.compress(rows))
                    + chunk(b"IEND", b""))


def files(folder, *names):
    """A hash of the content of these files; patterns are allowed."""
    sum = hashlib.sha256()
    for name in names:
        for path in sorted(folder.glob(name)):
            sum.update(path.name.encode() + path.read_bytes())
    return sum.hexdigest()


class Job:
    """A command with its results, which can be compared, and its progress."""

    def __init__(self, name, args, result, progress):
        self.name, self.args, self.result, self.progress = name, args, result, progress

    def start(self, out):
        return subprocess.Popen([PROGRAM, *self.args(out)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=ENV)

    def run(self, out):
        p = self.start(out)
        printed = p.communicate()[0]
        return p.returncode, printed


def interrupted(job, kind, sent, want):
    """Sends a signal to several processes in turn, each at a random moment, then lets one finish."""
    with tempfile.TemporaryDirectory(dir=WORK) as folder:
        out = pathlib.Path(folder) / "out"
        for _ in range(3):
            p = job.start(out)
            until = time.monotonic() + rng.uniform(0.05, job.seconds)
            while time.monotonic() < until and p.poll() is None:
                time.sleep(0.01)
            if p.poll() is None:
                p.send_signal(sent)
            p.communicate()
        code, printed = job.run(out)
        ok = code == 0 and job.result(out) == want
        if not ok:
            print(printed[-500:])
        count(f"{job.name}, {kind}", "identical" if ok else "lost")


def damage(path):
    """Changes a file, and returns a description of the change."""
    content = bytearray(path.read_bytes())
    how = rng.choice(["a bit", "cut off", "emptied", "doubled"])
    if how == "a bit" and content:
        content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
    elif how == "cut off" and content:
        content = content[: rng.randrange(len(content))]
    elif how == "doubled":
        content += bytes(content) or b"x"
    else:
        content = bytearray()
    if bytes(content) == path.read_bytes():
        content += b"x"
    path.write_bytes(bytes(content))
    return how


def damaged_data(job, scenario, victims, want):
    """Changes a data file of a finished run, and trains again: from the start, and in the folder of the run."""
    path = rng.choice(victims)
    whole = path.read_bytes()
    how = damage(path)
    with tempfile.TemporaryDirectory(dir=WORK) as folder:
        out = pathlib.Path(folder) / "out"
        shutil.copytree(FINISHED[job.name], out)
        code, printed = job.run(out)
        fresh = pathlib.Path(folder) / "fresh"
        if code != 0 and "goroutine" not in printed:
            outcome = "refused"
        elif code == 0 and job.run(fresh)[0] == 0 and job.result(fresh) == want:
            outcome = "identical"  # decoded again
        else:
            outcome = "lost"
            print(path.name, how, code, printed[-500:])
    path.write_bytes(whole)
    count(scenario, outcome)


def damaged(job, want, check):
    """Changes a file of a finished result."""
    with tempfile.TemporaryDirectory(dir=WORK) as folder:
        out = pathlib.Path(folder) / "out"
        shutil.copytree(FINISHED[job.name], out)
        victims = [p for p in sorted(out.rglob("*")) if p.is_file() and job.matters(p)]
        path = rng.choice(victims)
        how = damage(path)
        code, printed = check(job, out)
        if code != 0 and path.name in printed and "goroutine" not in printed:
            outcome = "refused"
        elif job.result(out) == want:  # mended
            outcome = "identical"
        else:
            outcome = "lost"
            print(path.name, how, code, printed[-500:])
        count(f"{job.name}, damage", outcome)


def full_disk(job, want):
    """The disk becomes full during the command; when there is room again, the same command continues."""
    with tempfile.TemporaryDirectory(dir=WORK) as folder:
        place = pathlib.Path(folder) / "small"
        place.mkdir()
        size = rng.randrange(8, job.kilobytes) // 4 * 4
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}k", "none", place], check=True)
        try:
            code, printed = job.run(place / "out")
            said = code == 0 or "no space left" in printed and "goroutine" not in printed
            subprocess.run(["mount", "-o", "remount,size=64m", place], check=True)
            code, last = job.run(place / "out")
            ok = said and code == 0 and job.result(place / "out") == want
            if not ok:
                print(printed[-500:], last[-500:])
            count(f"{job.name}, full disk", "identical" if ok else "lost")
        finally:
            subprocess.run(["umount", place], check=True)


def two(job, want):
    """Two processes on one folder at the same time."""
    with tempfile.TemporaryDirectory(dir=WORK) as folder:
        out = pathlib.Path(folder) / "out"
        processes = [job.start(out) for _ in range(2)]
        for p in processes:
            p.communicate()
        code, printed = job.run(out)
        ok = code == 0 and job.result(out) == want
        if not ok:
            print(printed[-500:])
        count(f"{job.name}, two processes", "identical" if ok else "lost")


with tempfile.TemporaryDirectory() as WORK:
    WORK = pathlib.Path(WORK)
    PROGRAM = str(WORK / "unhinged")
    subprocess.run(["go", "build", "-o", PROGRAM, "./cmd/unhinged"], cwd=ROOT, check=True)
    ENV = {**os.environ, "UNHINGED_DATA": str(WORK / "data"), "GOMLX_NO_AUTO_INSTALL": "1"}
    make_data(WORK / "images")
    train = Job("train", lambda out: ["train", "--dataset", str(WORK / "images"), "--out", str(out), "--backend", "go", "--hidden", "96,32",
                                      "--epochs", "30", "--batch", "30", "--method", "pal", "--seeds", "1"],
                lambda out: files(out / "pal-seed1", "log.jsonl"), "epoch")
    make_pictures(WORK / "pictures")
    pictures = Job("pictures", lambda out: ["train", "--dataset", str(WORK / "pictures"), "--size", "8", "--out", str(out), "--backend", "go", "--hidden", "8",
                                            "--epochs", "2", "--batch", "10", "--method", "pal", "--seeds", "1"],
                   lambda out: files(out / "pal-seed1", "log.jsonl"), "epoch")
    kernel = Job("kernel", lambda out: ["kernel", "compute", "--inputs", str(WORK / "x.npy"), "--network", "flatten dense:512 relu dense:512 relu dense:3",
                                        "--out", str(out), "--tile", "50", "--backend", "go"],
                 lambda out: files(out, "nngp/[0-9]*", "ntk/[0-9]*"), "tile")
    n = 900
    header = ("{'descr': '<f8', 'fortran_order': False, 'shape': (%d, 24), }" % n).ljust(117) + "\n"
    (WORK / "x.npy").write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode()
                                 + struct.pack(f"<{24 * n}d", *(rng.gauss(0, 1) for _ in range(24 * n))))
    FINISHED, WANT = {}, {}
    for job in (train, pictures, kernel):
        out = WORK / ("finished-" + job.name)
        start = time.monotonic()
        code, printed = job.run(out)
        job.seconds = time.monotonic() - start
        if code:
            sys.exit(f"{job.name} does not run at all: {printed}")
        FINISHED[job.name], WANT[job.name] = out, job.result(out)
        job.kilobytes = sum(p.stat().st_size for p in out.rglob("*")) // 1024
    train.matters = lambda path: path.name in ("checkpoint.gob", "log.jsonl", "outcome.json")
    kernel.matters = lambda path: not path.name.endswith(".lock")
    for _ in range(TRIES):
        damaged_data(train, "images in MNIST's format, damage", sorted((WORK / "images").iterdir()), WANT["train"])
        damaged_data(pictures, "folder of images, damage", sorted((WORK / "pictures").rglob("*.png")), WANT["pictures"])
        damaged_data(pictures, "decoded data set, damage", sorted((WORK / "data").rglob("*.images")), WANT["pictures"])
    signals = {"kill -9": signal.SIGKILL, "Ctrl-C": signal.SIGINT, "SIGTERM": signal.SIGTERM, "SIGHUP": signal.SIGHUP}
    for job in (train, kernel):
        for kind, sent in signals.items():
            for _ in range(TRIES):
                interrupted(job, kind, sent, WANT[job.name])
        for _ in range(5 * TRIES):
            if job is train:
                damaged(job, WANT["train"], lambda job, out: job.run(out))
            else:
                damaged(job, WANT["kernel"], lambda job, out: (lambda p: (p.returncode, p.stdout + p.stderr))(
                    subprocess.run([PROGRAM, "kernel", "inspect", str(out)], capture_output=True, text=True, env=ENV)))
        for _ in range(TRIES):
            two(job, WANT[job.name])
        if os.geteuid() == 0:
            for _ in range(TRIES):
                full_disk(job, WANT[job.name])

print("\n| what | tries | ended identical | refused | lost |\n|---|---|---|---|---|")
for scenario, row in counts.items():
    print(f"| {scenario} | " + " | ".join(map(str, row)) + " |")
lost = sum(row[3] for row in counts.values())
print(f"{sum(row[0] for row in counts.values()) - lost} passed, {lost} failed, 0 skipped")
sys.exit(lost > 0)
