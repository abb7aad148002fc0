#!/usr/bin/env python3
"""Opens notebooks in JupyterLab in headless Chromium, without a network, as a reader does.

    .lab/venv/bin/python scripts/browser.py [--all | NOTEBOOK...]      (default: a sample of the notebooks)

Each notebook is run, its sliders are stopped where they stand, and its outputs and pictures are compared with the committed ones, within the
tolerances of scripts/outputs.py. Pictures must fit their cell, and come to life under the mouse. One notebook's slider is moved, and no cell with
sliders may hang: the kernel is stopped for a while or interrupted, the page reloaded or closed, a second notebook opened.

Works on copies in .lab/browser, where it also leaves screenshots. Closes with "N passed, N failed, N skipped".
"""
import argparse
import base64
import contextlib
import functools
import http.server
import json
import os
import pathlib
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request

import axe_core_python
import nbformat

from outputs import clean, compare

ROOT = pathlib.Path(__file__).resolve().parent.parent
FOLDER = ROOT / ".lab/browser"
SLIDERS = "02-unconstrained.ipynb"  # its slider is moved
SAMPLE = ["01-neural-collapse.ipynb", "12-pal-against-ce.ipynb"]  # curves, a heat map, arrows and sliders; recorded runs and tables
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"  # WebDriver's name for a reference to an element


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


@contextlib.contextmanager
def server(command, log, **kw):
    """Runs command until the block ends; its output goes to the file log."""
    with open(log, "w") as out, subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, **kw) as process:
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()


@contextlib.contextmanager
def serve(folder):
    """Serves the files of a folder; the address is the context's value."""
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=folder)) as httpd:
        threading.Thread(target=httpd.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{httpd.server_port}"
        httpd.shutdown()


def wait(what, probe, seconds):
    """Polls until probe returns something true, which it returns."""
    end = time.monotonic() + seconds
    while True:
        try:
            if got := probe():
                return got
        except (urllib.error.URLError, ConnectionError):
            pass
        if time.monotonic() > end:
            raise TimeoutError(f"waited {seconds} s for {what}")
        time.sleep(0.1)


class Browser:
    """A WebDriver session."""

    def __init__(self, port, profile):
        self.url = f"http://127.0.0.1:{port}"
        wait("chromedriver", lambda: self.call("GET", "/status")["ready"], 30)
        flags = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
                 "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--window-size=1400,1000", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
                 f"--user-data-dir={profile}"]
        options = {"args": flags, "binary": shutil.which("chromium") or shutil.which("google-chrome")}
        session = self.call("POST", "/session", {"capabilities": {"alwaysMatch": {"goog:chromeOptions": options}}})
        self.url += f"/session/{session['sessionId']}"

    def call(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, {"Content-Type": "application/json"}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as e:
            raise RuntimeError(f"{path}: {json.load(e)['value']['message']}") from None

    def js(self, script, *args):
        return self.call("POST", "/execute/sync", {"script": script, "args": args})

    def cdp(self, command, **params):
        """A command of Chromium's own protocol."""
        return self.call("POST", "/goog/cdp/execute", {"cmd": command, "params": params})

    def window(self, width, height):
        self.cdp("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 500)

    def axe(self):
        """What axe finds in the page that is serious or critical."""
        axe = (pathlib.Path(axe_core_python.__file__).parent / "axe.min.js").read_text()
        return self.js(axe + """; return axe.run().then(r => r.violations.filter(v => ['serious', 'critical'].includes(v.impact))
            .map(v => [v.id, v.help, v.nodes[0].html]))""")

    def find(self, css):
        found = self.call("POST", "/elements", {"using": "css selector", "value": css})
        return f"/element/{found[0][ELEMENT]}" if found else None

    def click(self, css):
        self.call("POST", self.find(css) + "/click", {})

    def mouse(self, *actions):
        self.call("POST", "/actions", {"actions": [{"type": "pointer", "id": "mouse", "actions": actions}]})

    def drag(self, css, pixels):
        """Presses the mouse in the element's middle, moves it to the right and lets go."""
        origin = {ELEMENT: self.find(css).rpartition("/")[2]}
        moves = [{"type": "pointerMove", "origin": origin, "x": x, "y": 0, "duration": 200} for x in (0, pixels)]
        self.mouse(moves[0], {"type": "pointerDown", "button": 0}, moves[1], {"type": "pointerUp", "button": 0})

    def move(self, css):
        """Moves the mouse into the element's middle, and a little on, and over nothing else on the way there."""
        self.mouse({"type": "pointerMove", "x": 1, "y": 1})
        self.js("document.querySelector(arguments[0]).scrollIntoView({block: 'center'})", css)
        origin = {ELEMENT: self.find(css).rpartition("/")[2]}
        self.mouse({"type": "pointerMove", "origin": origin, "x": 0, "y": 0})
        self.mouse({"type": "pointerMove", "origin": "pointer", "x": 4, "y": 0, "duration": 100})

    def screenshot(self, name, of="body"):
        self.js("document.querySelector(arguments[0])?.scrollIntoView({block: 'end'})", of)
        (FOLDER / name).write_bytes(base64.b64decode(self.call("GET", "/screenshot")))


def check_pages(name, folder, check):
    """Serves the folder and calls check(page, address); name is that of the whole in what is printed. Ends the program if it fails."""
    driver = free_port()
    FOLDER.mkdir(parents=True, exist_ok=True)
    try:
        with serve(folder) as address, server([shutil.which("chromedriver"), f"--port={driver}"], FOLDER / "chromedriver.log"):
            page = Browser(driver, FOLDER / f"profile-{name}")
            try:
                check(page, address)
            finally:
                page.call("DELETE", "")
    except (AssertionError, TimeoutError, RuntimeError) as e:
        print(f"FAIL {name}: {e}\nscreenshots and logs are in {FOLDER}\n0 passed, 1 failed, 0 skipped")
        sys.exit(1)
    print(f"ok   {name} in Chromium\n1 passed, 0 failed, 0 skipped")


CELLS = """const cells = [...jupyterapp.shell.currentWidget.content.widgets].map(w => w.model.toJSON()).filter(c => c.cell_type == "code");"""
DIED = CELLS + """
    return cells.map((c, i) => [i + 1, c.outputs.map(o => o.output_type == "error" ? o.evalue : o.name == "stderr" ? [o.text].flat().join("") : "").join("")])
                .filter(([i, text]) => /exit status|^signal: /m.test(text))"""
PICTURE = """const place = jupyterapp.shell.currentWidget?.node.querySelector("[id^=picture-]");
    return place?.innerHTML.includes("<svg") && place.innerHTML"""
SLIDER = "input[type=range][id^=slider-]"
AXES = 'return JSON.parse(document.querySelector("[id^=picture-] metadata").textContent).map(p => p.range)'


def well(browser, probe):
    """The probe's result, as long as no cell failed."""
    died = browser.js(DIED)
    assert not died, f"cells failed: {died}"
    return probe()


NO_SLIDERS = CELLS + 'return JSON.stringify(cells.map(c => c.outputs)).includes("did not answer")'


def sliders(browser, url=None):
    """Runs the notebook, or the one that is shown, until it has sliders, and returns their picture. On a busy machine the page may be late: the cell
    then says so, and ends."""
    if url:
        show(browser, url)
    for _ in range(3):
        browser.js("void jupyterapp.commands.execute('notebook:clear-all-cell-outputs')")
        browser.js(RUN_ALL)
        wait("sliders", lambda: well(browser, lambda: browser.js(PICTURE) or browser.js(NO_SLIDERS)), 300)
        if picture := browser.js(PICTURE):
            return picture
    raise AssertionError("the page did not answer in time, three times")


def check(browser, url):
    first = sliders(browser, url)
    browser.js(f"document.querySelector('{SLIDER}').scrollIntoView({{block: 'center'}})")
    browser.screenshot("before.png", "[id^=picture-]")
    before, axes = browser.js(f"return document.querySelector('{SLIDER}').value"), browser.js(AXES)
    browser.click(SLIDER)  # in its middle
    after = browser.js(f"return document.querySelector('{SLIDER}').value")
    assert after != before, f"the slider stays at {before}"
    start = time.monotonic()
    second = wait("another picture", lambda: (now := browser.js(PICTURE)) and now != first and now, 30)
    print(f"slider {before} -> {after}: the picture changed within {time.monotonic() - start:.2f} s")
    browser.drag(SLIDER, 100)
    wait("a third picture", lambda: (now := browser.js(PICTURE)) and now != second, 30)
    browser.screenshot("after.png", "[id^=picture-]")
    held = browser.js(AXES)
    assert all(h[0] <= a[0] and h[1] >= a[1] and h[2] <= a[2] and h[3] >= a[3] for a, h in zip(axes, held, strict=True)), \
        f"axes were {axes}, and have shrunk to {held} although only a slider moved"
    browser.click("[id^=fit-]")
    wait("axes that fit the curves", lambda: browser.js(AXES) != held, 30)

    def finished():  # a Stop button for each cell with sliders
        if browser.find("[id^=stop-]"):
            browser.click("[id^=stop-]")
            wait("the sliders to go", lambda: not browser.find("[id^=stop-]"), 30)
        return browser.js(CELLS + "return cells.every(c => c.execution_count)")
    wait("every cell to have run", lambda: well(browser, finished), 300)
    pictures = browser.js(CELLS + "return cells.filter(c => JSON.stringify(c.outputs).includes('<svg')).length")
    assert pictures, "no cell kept a picture"
    browser.screenshot("end.png")


RUN_ALL = "void jupyterapp.commands.execute('notebook:run-all-cells')"


def kernels(api):
    """The server's kernels: id, notebook's path, state."""
    with urllib.request.urlopen(api("sessions")) as answer:
        return [(s["kernel"]["id"], s["path"], s["kernel"]["execution_state"]) for s in json.load(answer)]


def processes(kernel):
    """The ids of the processes that have the kernel's connection file among their arguments."""
    found = []
    for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if kernel.encode() in path.read_bytes():
                found.append(int(path.parent.name))
    return found


def show(browser, url):
    browser.call("POST", "/url", {"url": url})
    wait("the notebook", lambda: browser.js("""
        const panel = window.jupyterapp?.shell.currentWidget;
        return panel?.sessionContext?.session?.kernel?.connectionStatus == "connected" && panel.content.widgets.length > 0"""), 120)


def check_ends(browser, url, api):
    """No cell with sliders can be made to hang: the kernel stopped for a while, the page reloaded, a second notebook with sliders."""
    show(browser, url)
    kernel, notebook, _ = kernels(api)[0]
    browser.js(RUN_ALL)
    wait("the cell with sliders", lambda: browser.js(CELLS + """const i = cells.findIndex(c => [c.source].flat().join("").includes("plots.Interact"));
        return cells.slice(0, i).every(c => c.execution_count)"""), 300)
    stopped = processes(kernel)
    assert stopped, "the kernel's process was not found"
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)
    time.sleep(6)
    for pid in stopped:
        os.kill(pid, signal.SIGCONT)
    wait("sliders, or a word why there are none, after the kernel had stopped for 6 s",
         lambda: browser.js(PICTURE) or browser.js(NO_SLIDERS), 300)
    if not browser.js(PICTURE):
        print("after a stop of 6 s the cell says that the page did not answer")
    print("the kernel was stopped for 6 s: the cell goes on")

    sliders(browser, url)
    browser.call("POST", "/refresh", {})
    start = time.monotonic()
    idle = lambda: all(state == "idle" for _, _, state in kernels(api))
    wait("the kernel to be idle after a reload", idle, 240)
    print(f"reloaded: all cells have ended after {time.monotonic() - start:.0f} s")

    sliders(browser, url)
    urllib.request.urlopen(urllib.request.Request(api(f"kernels/{kernels(api)[0][0]}/interrupt"), b"", method="POST"))
    wait("the interrupted cell to end", lambda: not browser.js(PICTURE) and idle(), 60)
    assert browser.js(CELLS + "return cells.some(c => JSON.stringify(c.outputs).includes('image/svg+xml'))"), "the interrupted cell lost its picture"
    print("interrupted: the cell ends, and keeps its picture")

    sliders(browser, url)
    copy = notebook.replace("/", "/second-")
    shutil.copy(FOLDER / notebook, FOLDER / copy)
    browser.js(f"void jupyterapp.commands.execute('docmanager:open', {{path: '{copy}'}})")
    wait("the second notebook", lambda: browser.js(f"""
        const panel = jupyterapp.shell.currentWidget;
        return panel?.context?.path == '{copy}' && panel.sessionContext?.session?.kernel?.connectionStatus == 'connected'"""), 120)
    sliders(browser)

    start = time.monotonic()
    wait("the first notebook to end", lambda: [state for _, path, state in kernels(api) if path == notebook] == ["idle"], 200)
    print(f"two notebooks with sliders in one page: the first ends by itself after {time.monotonic() - start:.0f} s")
    tab = browser.call("POST", "/window/new", {"type": "tab"})["handle"]
    browser.call("DELETE", "/window")
    browser.call("POST", "/window", {"handle": tab})
    start = time.monotonic()
    wait("the kernel to be idle after its tab was closed", idle, 240)
    print(f"tab closed: all cells have ended after {time.monotonic() - start:.0f} s")


def end_kernels(api):
    for kernel, _, _ in kernels(api):
        urllib.request.urlopen(urllib.request.Request(api(f"kernels/{kernel}"), method="DELETE"))


# Pictures that are not drawn, or that are wider than their cell.
MISFITS = """return [...jupyterapp.shell.currentWidget.content.widgets].flatMap((cell, i) =>
    [...cell.node.querySelectorAll(".jp-OutputArea-output img, .jp-OutputArea-output svg")]
        .filter(p => p.tagName == "IMG" && !(p.complete && p.naturalWidth) || p.clientWidth > p.closest(".jp-OutputArea-output").clientWidth + 1)
        .map(p => `cell ${i + 1}: a picture ${p.clientWidth} pixels wide`))"""
PICTURE_OUTPUT = ".jp-OutputArea-output img[src^='data:image/svg+xml']"


def check_same(browser, url, path):
    """The outputs of a run in the page are the committed ones, and its pictures fit and come to life."""
    show(browser, url)
    committed = nbformat.read(path, 4)
    pictures = sum("image/svg+xml" in o.get("data", {}) for c in committed.cells for o in c.get("outputs", []))
    wait("the committed pictures, which JupyterLab does not trust", lambda: browser.js(
        f"return [...document.querySelectorAll({PICTURE_OUTPUT!r})].filter(p => p.complete && p.naturalWidth).length") == pictures, 60)
    browser.js("void jupyterapp.commands.execute('notebook:clear-all-cell-outputs')")
    browser.js(RUN_ALL)

    def finished():
        died = browser.js(DIED)
        assert not died, f"cells failed: {died}"
        browser.js(f"for (const stop of document.querySelectorAll('[id^=stop-]')) if (document.querySelector('[id^=picture-] svg')) stop.click()")
        return browser.js(CELLS + "return cells.every(c => c.execution_count) && !document.querySelector('[id^=stop-]')")
    wait("every cell to have run", finished, 600)
    now = nbformat.from_dict(browser.js("return jupyterapp.shell.currentWidget.content.model.toJSON()"))
    clean(now)
    differences = compare(committed, now)
    assert not differences, "\n    ".join(["the outputs are not the committed ones:", *differences])
    misfits = browser.js(MISFITS)
    assert not misfits, misfits
    described = browser.js(f"""return [...document.querySelectorAll({PICTURE_OUTPUT!r})]
        .filter(p => decodeURIComponent(p.src).includes("<metadata>")).map((p, i) => p.id = `described-${{i}}`)""")
    for number, picture in enumerate(described, 1):
        browser.move(f"#{picture}")
        wait(f"picture {number} of {len(described)} to come to life under the mouse",
             lambda number=number: browser.js("return document.querySelectorAll('.js-plotly-plot:has(.main-svg)').length") == number, 30)
        browser.screenshot(f"{path.stem}-alive-{number}.png", f"#{picture}")


def left_out():
    """Says so, and returns true, where there is no browser to test with."""
    missing = [p for p, names in (("chromium", ("chromium", "google-chrome")), ("chromedriver", ("chromedriver",))) if not any(map(shutil.which, names))]
    if missing:
        print(f"no {' and no '.join(missing)} on PATH (Debian: apt install chromium chromium-driver): the browser test is left out")
        print("0 passed, 0 failed, 1 skipped")
    return bool(missing)


def main():
    args = argparse.ArgumentParser(description="Opens notebooks in JupyterLab in headless Chromium.")
    args.add_argument("notebooks", nargs="*", type=pathlib.Path, metavar="NOTEBOOK")
    args.add_argument("--all", action="store_true", help="open all notebooks")
    args = args.parse_args()
    committed = sorted((ROOT / "notebooks").glob("*.ipynb"))
    notebooks = args.notebooks or [n for n in committed if args.all or n.name in SAMPLE]
    if left_out():
        return
    shutil.rmtree(FOLDER, ignore_errors=True)
    (FOLDER / "notebooks").mkdir(parents=True)
    for path in [*notebooks, *(n for n in committed if n.name == SLIDERS)]:
        shutil.copy(path, FOLDER / "notebooks")
    for path in ROOT.iterdir():  # notebooks read files beside their folder
        if path.name not in ("notebooks", "site") and not path.name.startswith("."):
            (FOLDER / path.name).symlink_to(path)
    port, driver_port, token = free_port(), free_port(), secrets.token_hex(16)
    env = os.environ | {"JUPYTER_PATH": str(ROOT / "jupyter"), "JUPYTERLAB_WORKSPACES_DIR": str(FOLDER / "workspaces")}
    lab = [ROOT / ".lab/venv/bin/jupyter-lab", "--no-browser", "--allow-root", f"--port={port}", "--ServerApp.port_retries=0",
           f"--ServerApp.root_dir={FOLDER}", f"--IdentityProvider.token={token}", "--LabApp.expose_app_in_browser=True"]
    # A workspace of its own, so that no tab of the check before is open.
    address = lambda name: f"http://127.0.0.1:{port}/lab/workspaces/{secrets.token_hex(4)}/tree/notebooks/{name}?token={token}"
    api = lambda path: f"http://127.0.0.1:{port}/api/{path}?token={token}"
    checks = [(f"{path} in Chromium", lambda browser, path=path: check_same(browser, address(path.name), path)) for path in notebooks]
    if not args.notebooks:
        checks += [(f"the slider of {SLIDERS}", lambda browser: check(browser, address(SLIDERS))),
                   ("cells with sliders do not hang", lambda browser: check_ends(browser, address(SLIDERS), api))]
    failed = 0
    with server(lab, FOLDER / "jupyterlab.log", env=env, cwd=FOLDER), \
            server([shutil.which("chromedriver"), f"--port={driver_port}"], FOLDER / "chromedriver.log"):
        wait("JupyterLab", lambda: urllib.request.urlopen(api("status")), 60)
        browser = Browser(driver_port, FOLDER / "profile")
        try:
            for name, run in checks:
                start, why = time.monotonic(), ""
                try:
                    run(browser)
                except (AssertionError, TimeoutError, RuntimeError) as e:
                    why, failed = f" {e}", failed + 1
                    with contextlib.suppress(Exception):
                        browser.screenshot(f"failed-{failed}.png")
                print(f"{'FAIL' if why else 'ok  '} {name} ({time.monotonic() - start:.1f} s){why}", flush=True)
                browser.call("POST", "/url", {"url": "about:blank"})
                end_kernels(api)
        finally:
            browser.call("DELETE", "")
    if failed:
        print(f"screenshots and logs are in {FOLDER}")
    print(f"{len(checks) - failed} passed, {failed} failed, 0 skipped")
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
