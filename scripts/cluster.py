#!/usr/bin/env python3
"""A test of trainings and kernels on a real Slurm: `make cluster-test`.

It starts munged, slurmctld and two slurmd on the loopback interface of this machine, submits arrays of a small sweep
(twice) and of kernel tiles, kills a node with all its processes, a task with SIGKILL, and lets the time limit's signal
come. In the end the results must be those of one process on this machine, bit for bit, with nothing lost and nothing
finished twice. It writes a manifest: the tasks with their nodes and restarts, and the SHA-256 of every result, of the
cluster and of the one process.

Where Slurm or munge is not installed, or the user is not root, the test is skipped, and it says why. It ends the
processes that it started, by their numbers.
"""
import glob
import hashlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PROGRAMS = ["munged", "slurmctld", "slurmd", "sbatch", "squeue", "scontrol", "sinfo"]
CONF = """ClusterName=lab
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
SlurmctldPort={port}
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool.%n
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.%n.log
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.%n.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
MpiDefault=none
ReturnToService=2
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
SlurmdTimeout=10
KillWait=5
NodeName=n[1-2] NodeHostname={host} NodeAddr=127.0.0.1 Port=[{first}-{last}] CPUs=1 RealMemory=1000 State=UNKNOWN
PartitionName=main Nodes=n[1-2] Default=YES MaxTime=INFINITE State=UP
"""
TRAIN = ["train", "--method", "ce,pal", "--seeds", "3", "--epochs", "{epochs}", "--batch", "20", "--hidden", "64,64",
         "--backend", "go"]
KERNEL = ["kernel", "compute", "--examples", "400", "--network",
          "conv:8,3,same relu conv:8,3,same relu conv:8,3,same relu flatten dense:1",
          "--tile", "20", "--backend", "go"]
TILES = 20  # along a side of the kernel
PORT = 16817


def skip(reason):
    print("cluster-test: SKIPPED:", reason)
    sys.exit(0)


def say(*words):
    print(f"{time.time() - BEGUN:5.0f} s ", *words, flush=True)


def output(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def write_data(folder):
    """A data set in MNIST's format: patterns of 10 classes with noise, from a fixed sequence of numbers."""
    os.makedirs(folder)
    state = 1
    for name, n in [("train", 400), ("t10k", 100)]:
        pixels, labels = bytearray(), bytearray(i % 10 for i in range(n))
        for label in labels:
            for place in range(64):
                state = (state * 1103515245 + 12345) % 2**31
                pixels.append((state >> 16) % 120 + (120 if place % 10 == label else 0))
        for kind, sizes, values in [("images-idx3", [n, 8, 8], pixels), ("labels-idx1", [n], labels)]:
            with open(f"{folder}/{name}-{kind}-ubyte", "wb") as file:
                file.write(bytes([0, 0, 8, len(sizes)]) + b"".join(s.to_bytes(4, "big") for s in sizes) + values)


def processes():
    """The processes of this machine whose environment has this test's configuration of Slurm: {number: environment}."""
    found = {}
    for path in glob.glob("/proc/[0-9]*/environ"):
        try:
            with open(path, "rb") as file:
                words = file.read().split(b"\0")
        except OSError:
            continue  # it has ended, or it is not ours
        values = dict(w.decode(errors="replace").split("=", 1) for w in words if b"=" in w)
        if values.get("SLURM_CONF") == os.environ.get("SLURM_CONF") and "SLURM_CONF" in values:
            found[int(path.split("/")[2])] = values
    return found


def command_of(pid):
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return file.read().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


def kill(pid, number=signal.SIGKILL):
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


def sums(folder):
    """The SHA-256 of every result: logs and outputs of runs, without times; chunks of kernels and their checksums."""
    found = {}
    for path in sorted(glob.glob(folder + "/**", recursive=True, include_hidden=True)):
        name = os.path.relpath(path, folder)
        wanted = re.fullmatch(r"train/[^/]+/(log\.jsonl|outputs\.npz)|kernel/(nngp|ntk|labels)/[^/]+", name)
        if wanted and os.path.isfile(path):
            with open(path, "rb") as file:
                found[name] = hashlib.sha256(file.read()).hexdigest()
    return found


class Cluster:
    def __init__(self, folder):
        self.folder, self.daemons = folder, {}
        os.makedirs(folder + "/state")
        os.makedirs(folder + "/logs")
        os.environ["SLURM_CONF"] = folder + "/slurm.conf"
        with open(folder + "/slurm.conf", "w") as file:
            file.write(CONF.format(host=socket.gethostname(), folder=folder, port=PORT, first=PORT + 4, last=PORT + 5))
        with open(folder + "/munge.key", "wb") as file:
            os.chmod(file.name, 0o400)
            file.write(os.urandom(1024))

    def daemon(self, name, *command):
        """Starts a daemon in the foreground, so that its number is known."""
        with open(f"{self.folder}/{name}.out", "ab") as out:
            self.daemons[name] = subprocess.Popen(command, stdout=out, stderr=out, stdin=subprocess.DEVNULL)

    def node(self, name):
        os.makedirs(f"{self.folder}/spool.{name}", exist_ok=True)
        self.daemon(name, "slurmd", "-D", "-N", name)

    def start(self):
        f = self.folder
        self.daemon("munged", "munged", "--foreground", "--force", f"--socket={f}/munge.socket", f"--key-file={f}/munge.key",
                    f"--pid-file={f}/munged.pid", f"--log-file={f}/munged.log", f"--seed-file={f}/munged.seed")
        self.until("munged", lambda: os.path.exists(f + "/munge.socket"))
        self.daemon("slurmctld", "slurmctld", "-D")
        for name in ["n1", "n2"]:
            self.node(name)
        self.until("both nodes", lambda: subprocess.run(["sinfo", "--noheader", "--format=%t %D"], capture_output=True,
                                                        text=True).stdout.split() == ["idle", "2"])

    def until(self, what, condition, seconds=60):
        end = time.time() + seconds
        while not condition():
            for name, daemon in self.daemons.items():
                if daemon.poll() not in (None, -signal.SIGKILL):
                    raise SystemExit(f"cluster-test: FAILED: {name} ended; see {self.folder}/{name}.out")
            if time.time() > end:
                raise SystemExit(f"cluster-test: FAILED: no {what} after {seconds} s")
            time.sleep(0.2)

    def running(self, node=None):
        """The numbers of the processes of unhinged in tasks, by node."""
        return {pid: e["SLURMD_NODENAME"] for pid, e in processes().items()
                if "SLURMD_NODENAME" in e and command_of(pid).startswith(self.folder + "/unhinged ")
                and node in (None, e["SLURMD_NODENAME"])}

    def kill_node(self, name):
        """Kills a node as a loss of power does: its daemon, and all processes of its tasks."""
        slurmd = self.daemons[name].pid
        victims = {slurmd}
        for pid, e in processes().items():
            if e.get("SLURMD_NODENAME") == name or f"/spool.{name}" in command_of(pid):
                victims.add(pid)
        tasks = {e.get("SLURM_JOB_ID") for pid, e in processes().items() if e.get("SLURMD_NODENAME") == name}
        for path in glob.glob("/proc/[0-9]*"):  # slurmstepd's command has the job's number
            pid = int(path.split("/")[2])
            step = re.match(r"slurmstepd: \[(\d+)", command_of(pid))
            if step and step[1] in tasks and pid in processes():
                victims.add(pid)
        for pid in victims:
            kill(pid)
        self.daemons[name].wait()
        return sorted(victims)

    def stop(self):
        """Ends every process that this test started."""
        for pid in self.running():
            kill(pid)
        for name, daemon in reversed(self.daemons.items()):
            if daemon.poll() is None:
                daemon.terminate()
                try:
                    daemon.wait(10)
                except subprocess.TimeoutExpired:
                    daemon.kill()
                    daemon.wait()
        for pid in processes():
            if pid != os.getpid():
                kill(pid)


def main():
    missing = [p for p in PROGRAMS if not shutil.which(p)]
    if missing:
        skip(f"{', '.join(missing)} not installed (Debian: apt install slurm-wlm munge)")
    if os.geteuid() != 0:
        skip("Slurm's daemons are started as root, and this user is not")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("cluster-test: stopped"))  # after Cluster.stop
    folder = tempfile.mkdtemp(prefix="unhinged-cluster-")
    os.chmod(folder, 0o755)
    program, data = folder + "/unhinged", folder + "/data"
    subprocess.run(["go", "build", "-o", program, "./cmd/unhinged"], cwd=ROOT, check=True)
    write_data(data)
    version = output(program, "--version").strip()
    train = [w.format(epochs=EPOCHS) for w in TRAIN] + ["--dataset", data, "--out"]
    kernel = KERNEL + ["--data", data, "--out"]

    local = folder + "/local"
    for args, name in [(train, "train"), (kernel, "kernel")]:
        begun = time.time()
        with open(f"{folder}/local-{name}.log", "w") as log:
            subprocess.run([program, *args, f"{local}/{name}"], check=True, stdout=log, stderr=log)
        say(f"one process: {name} took {time.time() - begun:.0f} s")

    cluster = Cluster(folder)
    events = []

    def event(text):
        say(text)
        events.append(text)
    try:
        cluster.start()
        say("Slurm is up:", output("scontrol", "--version").strip())

        def submit(name, tasks, minutes, args):
            out = subprocess.run([program, "submit", "slurm", "--name", name, "--tasks", str(tasks), "--cpus", "1", "--mem",
                                  "400M", "--time", str(minutes), "--", *args, f"{folder}/cluster/{name}"],
                                 cwd=folder + "/logs", check=True, capture_output=True, text=True).stdout
            event(f"{name}: {out.strip()}")

        submit("train", 3, 2, train)
        submit("train", 3, 2, train)
        submit("kernel", 2, 5, kernel)
        checkpoints = folder + "/cluster/train/*/checkpoint.gob"
        cluster.until("checkpoint on both nodes", lambda: len(glob.glob(checkpoints)) >= 2 and cluster.running("n2")
                      and cluster.running("n1"))
        event(f"node n2 is killed: {len(cluster.kill_node('n2'))} processes")
        time.sleep(3)
        pid = min(cluster.running("n1"))
        kill(pid)
        event("a task on node n1 gets SIGKILL")
        down = "Nodes n2 not responding, setting DOWN"  # its task is queued again then, or was before
        cluster.until("notice of the node's failure", lambda: down in open(folder + "/slurmctld.log").read(), 120)
        event("Slurm has noticed that node n2 is down")
        cluster.node("n2")
        workers = lambda: [p for p in cluster.running() if " kernel " in command_of(p)]
        tiles = folder + "/cluster/kernel/ntk/*"
        cluster.until("worker at the kernel's tiles", lambda: workers() and glob.glob(tiles), 600)
        kill(min(workers()))
        event(f"a worker of the kernel gets SIGKILL after {len(glob.glob(tiles))} of {TILES**2} chunks")
        cluster.until("end of all jobs", lambda: not output("squeue", "--noheader").strip(), 600)
    finally:
        cluster.stop()

    text = "".join(open(path).read() for path in sorted(glob.glob(folder + "/logs/*.log")))
    tasks = []
    for path in sorted(glob.glob(folder + "/logs/*.log")):
        for task, node, restarts in re.findall(r"task (\S+) on (\S+), restarts so far: (\d+)", open(path).read()):
            tasks.append({"name": os.path.basename(path).rsplit("-", 1)[0], "task": task, "node": node,
                          "restarts": int(restarts)})
    want, got = sums(local), sums(folder + "/cluster")
    finished = {run: len(re.findall(rf"^{run}, epoch {EPOCHS} of {EPOCHS}:", text, re.M))
                for run in sorted(os.path.basename(d) for d in glob.glob(local + "/train/*-seed*"))}
    signalled = [t for t in re.findall(r"stopped after step \d+ of \d+: context canceled", text)]
    manifest = {"program": version, "slurm": output("scontrol", "--version").strip(), "events": events, "tasks": tasks,
                "runs_finished": finished, "stopped_by_time_limit": len(signalled), "sha256": got, "sha256_one_process": want}
    wrong = []
    if got != want:
        wrong.append(f"results differ from one process's: {sorted(k for k in want | got if want.get(k) != got.get(k))}")
    if len(want) != 6 * 2 + 2 * (TILES**2 + 1) + 2:  # chunks and metadata of two arrays, and of the labels
        wrong.append(f"only {len(want)} results to compare")
    if set(finished.values()) != {1} or len(finished) != 6:
        wrong.append(f"runs finished other than once: {finished}")
    if not signalled:
        wrong.append("no task was stopped by the time limit's signal")
    if not any(t["restarts"] for t in tasks):
        wrong.append("no task was restarted")
    path = sys.argv[1] if len(sys.argv) > 1 else os.path.join(ROOT, "results", "cluster", "slurm.json")
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as file:
        file.write(json.dumps(manifest, indent=1).replace(folder, "D") + "\n")
    if wrong:
        raise SystemExit(f"cluster-test: FAILED: {'; '.join(wrong)}; see {folder} and {path}")
    shutil.rmtree(folder)
    say(f"cluster-test: ok: {len(got)} results are those of one process, {len(tasks)} starts of tasks, manifest in {path}")


BEGUN = time.time()
EPOCHS = 400
if __name__ == "__main__":
    main()
