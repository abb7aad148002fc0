#!/usr/bin/env python3
"""Opens the explorer in headless Chromium, from a server, as a file and in a frame. Moves every scene by mouse and keyboard, opens its link, compares
its numbers with those of the native program, measures its speed, and checks its layout on phones and its accessibility.

    .lab/venv/bin/python scripts/explorer_browser.py

Leaves screenshots in .lab/browser. Closes with "N passed, N failed, N skipped".
"""
import json
import math
import shutil
import subprocess
import time

import browser
import explorer

ANSWER = 300  # ms that the page may be busy at a time while it iterates: on quiet cores it is under 100
SITE = browser.FOLDER / "explorer"
STATE = "return [location.hash, document.getElementById('answer').textContent, picture && JSON.stringify(picture.panels.map(p => p.curves.map(c => plain(c.values))))]"
AXES = "return charts.map(c => [c.scales.y.min, c.scales.y.max])"


def opened(page, url):
    page.call("POST", "/url", {"url": url})
    browser.wait("the first picture", lambda: page.js("return typeof picture !== 'undefined' && picture !== null"), 60)


def native():
    """Pictures by the native program, a list as long as that of the scenes."""
    out = subprocess.run(["go", "run", "./web/explorer/print"], cwd=browser.ROOT, check=True, capture_output=True, text=True).stdout
    return json.loads(out)


def difference(a, b):
    if (a is None) != (b is None):
        return math.inf
    return 0 if a is None else abs(a - b) / max(1, abs(a), abs(b))


def scene(page, link):
    """Shows the scene of a link, #scene?name=value&…"""
    page.js(f"location.hash = '{link}'")
    browser.wait(link, lambda: page.js("return scene.id") == link[1:].split("?")[0], 10)


def check_numbers(page):
    names = page.js("return scenes.map(s => s.id)")
    worst = 0
    for picture in native():
        got = page.js("""const [scene, settings] = arguments;
            return new Promise(done => {
                const give = panels => done(panels.map(p => p.curves.map(c => plain(c.values))));
                const r = unhingedDraw(scene, settings, (share, panels) => share === 1 && give(panels));
                if (!r.iterates) give(r.panels);
            })""", picture["Scene"], picture["Settings"])
        for panel, ours in zip(picture["Panels"], got, strict=True):
            for curve, values in zip(panel, ours, strict=True):
                worst = max([worst] + [difference(x, y) for x, y in zip(curve, values, strict=True)])
    print(f"{len(names)} scenes agree with the native program to {worst:.1e}")
    assert worst <= 1e-12, worst
    for name in names:
        scene(page, f"#{name}")
        page.screenshot(f"explorer-{name}.png", "header")


def check_iteration(page):
    """The page answers while a large iteration runs, which ends when a setting changes; one with few numbers ends by itself."""
    for name in ("unconstrained", "anchored", "spherical"):
        scene(page, f"#{name}?p=512&C=100&N=50&brute=1")
        said = "return document.getElementById('iterating').textContent"
        browser.wait("the iteration's progress", lambda: page.js(said + ".includes(' %') && !picture.panels[0].curves.at(-1).values.every(isNaN)"), 60)
        longest = min(page.js("""return new Promise(done => {
            let longest = 0, last = performance.now();
            const end = last + 1000;
            const tick = () => {
                const now = performance.now();
                longest = Math.max(longest, now - last);
                last = now;
                now < end ? setTimeout(tick) : done(longest);
            };
            tick();
        })""") for _ in range(3))  # the best of three seconds, because other programs may run, too
        print(f"{name}, p = 512, C = 100, N = 50: while it iterates the page is busy for {longest:.0f} ms at a time")
        assert longest < ANSWER, f"{name}: the page was busy for {longest:.0f} ms"
        page.js("document.getElementById('setting-brute').value = 0; document.getElementById('setting-brute').dispatchEvent(new Event('input'))")
        browser.wait("the iteration to stop", lambda: page.js(said) == "", 30)
        assert page.js("return new Promise(done => setTimeout(() => done(picture.panels[0].curves.length), 500))") == 1, "a stopped iteration went on"
    scene(page, "#unconstrained?brute=1&time=1.5")
    browser.wait("the iteration's end", lambda: "ended" in page.js(said), 60)
    apart = page.js("""const [h, , iterated] = picture.panels[1].curves.map(c => c.values);
        return Math.max(...h.map((v, i) => Number.isNaN(iterated[i]) ? 0 : Math.abs(v - iterated[i])))""")
    assert apart < 0.01, f"log₁₀‖H‖ of the closed form and of the iteration are {apart} apart"


def check_links(page):
    """What a link asks for and cannot have is said. Another scene keeps the sizes."""
    for link, said in (("#unconstrained?gamma=%", "gamma=% is not"), ("#unconstrained?gamma=99", "gamma=99 is not"), ("#unconstrained?C=10.5", "C=10.5 is not"),
                       ("#unconstrained?gamma=", "gamma= is not"), ("#unconstrained?what=1", "no setting what"), ("#nothing", "no scene nothing")):
        page.call("POST", "/url", {"url": "about:blank"})
        opened(page, f"file://{SITE}/index.html{link}")
        text = page.js("return document.getElementById('text').textContent")
        assert said in text, f"{link}: {text}"
    opened(page, f"file://{SITE}/index.html#unconstrained?gamma=2.6&p=100&seed=7")
    scene(page, "#unconstrained?gamma=2.6&p=100&seed=7")
    assert "In the address" not in page.js("return document.getElementById('text').textContent")
    assert page.js("return picture.panels[2].title") == "Distance of the direction to collapse"
    page.js("document.querySelectorAll('#scenes a')[1].click()")
    browser.wait("the scene regularised", lambda: page.js("return scene.id") == "regularised", 10)
    assert page.js("return [settings.p, settings.seed, settings.gamma]") == [100, 7, 1], page.js("return settings")


def check_moves(page, names):
    """In each scene a slider is moved by mouse and by keyboard: the picture and the address change, and the link shows the same."""
    drawn = "return [...document.querySelectorAll('.uplot canvas')].map(c => c.toDataURL()).join()"
    for name in names:
        page.js("location.hash = '#' + arguments[0]; document.querySelector('header').scrollIntoView()", name)
        browser.wait(name, lambda n=name: page.js("return scene.id") == n, 10)
        states, pictures = [page.js(STATE)], [page.js(drawn)]
        axes = page.js(AXES)

        def moved(how):
            state = browser.wait(f"{name}: a change by {how}", lambda: (now := page.js(STATE))[0] != states[-1][0] and now, 10)
            browser.wait(f"{name}: another picture by {how}", lambda: page.js(drawn) not in pictures, 10)
            assert state[1:] != states[-1][1:], f"{name}: by {how} the address changes, and the data do not"
            states.append(state)
            pictures.append(page.js(drawn))
        page.drag("#setting-gamma", 80)
        moved("mouse")
        assert "gamma=" in states[1][0], states[1][0]
        if name == "unconstrained":
            assert "above 2/(C−2)" in states[1][1], f"past 2/(C−2) the answer is: {states[1][1]}"
        page.call("POST", page.find("#setting-gamma") + "/value", {"text": "\ue012"})  # the left arrow
        moved("keyboard")
        check_axes(page, name, axes)
        link = page.js("return location.href")
        page.call("POST", "/url", {"url": "about:blank"})
        opened(page, link)
        assert page.js(STATE) == states[-1], f"the link shows {page.js(STATE)}, not {states[-1]}"


def check_axes(page, name, before):
    """Vertical axes hold still, and grow where a curve has left them, until they are fitted."""
    inside = "return charts.every(c => c.data.slice(1).flatMap(v => [...v]).every(v => !Number.isFinite(v) || (v >= c.scales.y.min && v <= c.scales.y.max)))"
    for i, ((low, high), (from_, to)) in enumerate(zip(before, now := page.js(AXES), strict=True)):
        assert from_ <= low and to >= high, f"{name}: axis {i} from {low} to {high} has shrunk: from {from_} to {to}"
    assert page.js(inside), f"{name}: a curve is outside of its axis"
    # A small move, and back: no axis moves at all, because there is room around the curves.
    for step in (1, -1):
        page.js("""const s = document.getElementById('setting-gamma');
            s.value = +s.value + arguments[0]; s.dispatchEvent(new Event('input'));
            return new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))""", 0.01 * step)
        assert page.js(AXES) == now, f"{name}, γ moved by {0.01 * step}: axes were {now} and are {page.js(AXES)}"
    page.click("#fit")
    browser.wait("axes that fit", lambda: page.js("""return picture.panels.every((p, i) => {
        const v = p.curves.flatMap(c => [...c.values]).filter(Number.isFinite), {min, max} = charts[i].scales.y;
        return p.from < p.to || max - min <= 1 || max - min < 1.3 * (Math.max(...v) - Math.min(...v));
    })"""), 10)
    assert page.js(inside), f"{name}: a curve is outside of its fitted axis"


def check_refit(page):
    """A curve that leaves its axis makes it grow; it shrinks at Fit axes and at Defaults."""
    scene(page, "#unconstrained")
    start = page.js(AXES)
    move = "settings.time = arguments[0]; draw()"
    page.js(move, 4)
    browser.wait("axes that grew", lambda: page.js(AXES)[1][1] > 3 * start[1][1], 10)
    page.js(move, 2.3)
    time.sleep(0.2)
    assert page.js(AXES)[1][1] > 3 * start[1][1], "an axis shrank by itself"
    page.click("#fit")
    browser.wait("Fit axes", lambda: page.js(AXES) == start, 10)
    page.js(move, 4)
    page.click("#reset")
    browser.wait("Defaults", lambda: page.js(AXES) == start, 10)


def check_phone(page, names):
    """On phones the current scene's tab, a whole diagram and the slider of γ are in the window, and nothing is too wide."""
    for width, height in ((320, 640), (360, 740), (390, 844)):
        page.window(width, height)
        for name in names:
            scene(page, f"#{name}")
            page.js("scrollTo(0, 0); return new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
            wide, *boxes = page.js("""return [document.documentElement.scrollWidth - document.documentElement.clientWidth,
                ...['[aria-current]', '.uplot', '#setting-gamma'].map(css => document.querySelector(css).getBoundingClientRect().toJSON())]""")
            assert wide <= 0, f"{width}×{height}, {name}: the page is {wide} pixels too wide"
            for what, box in zip(("the tab", "the diagram", "γ's slider"), boxes, strict=True):
                assert box["left"] >= 0 and box["right"] <= width and box["top"] >= 0 and box["bottom"] <= height, f"{width}×{height}, {name}: {what} is at {box}"
        page.screenshot(f"explorer-{width}.png", "header")
    page.cdp("Emulation.clearDeviceMetricsOverride")


def check_frame(page, address):
    """In a page of the site, the explorer has that page's theme, and its frame is as high as its content."""
    shutil.copy(browser.ROOT / "web/site/site.js", SITE)
    shutil.copy(browser.ROOT / "web/site/site.css", SITE)
    (SITE / "frame.html").write_text("""<!DOCTYPE html><meta name="viewport" content="width=device-width"><link rel="stylesheet" href="site.css"><script src="site.js"></script>
        <body data-theme="light"><iframe class="scene" src="index.html#theorem8"></iframe>""")
    def inside():
        page.call("POST", "/frame", {"id": {browser.ELEMENT: page.find("iframe").rpartition("/")[2]}})

    def outside():
        page.call("POST", "/frame", {"id": None})

    for width in (390, 736, 1400):
        page.window(width, 900)
        page.call("POST", "/url", {"url": address + "/frame.html"})
        for theme in ("light", "dark", "light"):
            page.js("document.body.dataset.theme = arguments[0]", theme)
            inside()
            browser.wait("the picture in the frame", lambda: page.js("return typeof picture !== 'undefined' && picture !== null"), 60)
            back = "rgb(255, 255, 255)" if theme == "light" else "rgb(22, 24, 27)"
            browser.wait(f"the theme {theme} in the frame", lambda b=back: page.js("return getComputedStyle(document.body).backgroundColor") == b, 10)
            browser.wait(f"a frame of its content's height, {width} pixels wide", lambda: page.js(
                "return Math.abs(document.body.offsetHeight - innerHeight) <= 1"), 10)
            ink = page.js("const style = getComputedStyle(document.body); return [style.color, charts[0].axes[0].stroke()]")
            assert ink[0] == ink[1], f"beside the theme {theme} text is {ink[0]}, and the axes {ink[1]}"
            outside()
    page.cdp("Emulation.clearDeviceMetricsOverride")

    inside()
    page.js("""const slider = document.getElementById('setting-gamma');
        slider.value = 1.5; slider.dispatchEvent(new Event('input')); slider.dispatchEvent(new Event('change'))""")
    outside()
    link = browser.wait("the state in the address around the frame", lambda: (at := page.js("return location.href")).endswith("#theorem8?gamma=1.5") and at, 10)
    page.call("POST", "/url", {"url": "about:blank"})
    page.call("POST", "/url", {"url": link})
    inside()
    browser.wait("the link's state in the frame", lambda: page.js("return typeof picture !== 'undefined' && picture !== null && settings.gamma === 1.5"), 60)
    page.js("""navigator.clipboard.writeText = () => Promise.reject(new Error('no')); document.getElementById('link').click()""")
    browser.wait("the link to copy", lambda: page.js("return document.getElementById('address').offsetParent && document.getElementById('address').value.endsWith(location.hash)"), 10)
    page.js("""const slider = document.getElementById('setting-gamma');
        slider.value = 2; slider.dispatchEvent(new Event('input')); slider.dispatchEvent(new Event('change'))""")
    assert page.js("return document.getElementById('address').hidden"), "an older link stays beside a picture that has changed"
    outside()


def check_axe(page, names):
    """axe finds nothing serious in any scene, light and dark, on a desk and on a phone."""
    for width in (1400, 390):
        page.window(width, 900)
        for theme in ("light", "dark"):
            page.cdp("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": theme}])
            for name in names:
                scene(page, f"#{name}")
                found = page.axe()
                assert not found, f"axe, {name}, {theme}, {width} pixels wide: {found}"
    page.cdp("Emulation.setEmulatedMedia", features=[])
    page.cdp("Emulation.clearDeviceMetricsOverride")
    print(f"axe finds nothing serious in {len(names)} scenes, light and dark, 1400 and 390 pixels wide")


FIRST = """addEventListener('DOMContentLoaded', () => new MutationObserver((_, observer) => {
    if (!document.querySelector('.uplot canvas')) return;
    observer.disconnect();
    requestAnimationFrame(() => setTimeout(() => { window.firstPicture = performance.now(); }));
}).observe(document.getElementById('panels'), {childList: true, subtree: true}))"""


def check_speed(page, address):
    """The time to the first painted picture, painted pictures a second while a slider moves, and the time of large pictures. The floors are low, because
    other programs may run."""
    script = page.cdp("Page.addScriptToEvaluateOnNewDocument", source=FIRST)["identifier"]
    page.call("POST", "/url", {"url": address + "/index.html"})
    first = browser.wait("the first picture", lambda: page.js("return window.firstPicture"), 60) / 1000
    page.cdp("Page.removeScriptToEvaluateOnNewDocument", identifier=script)
    rate = page.js("""const slider = document.getElementById('setting-gamma'), unpainted = draw;
        let drawn = 0, moves = 0;
        draw = () => { unpainted(); drawn++; };
        return new Promise(done => {
            const start = performance.now(), move = () => { // once before each painting
                const time = (performance.now() - start) / 1000;
                if (time > 4) {
                    draw = unpainted;
                    return done(drawn / time);
                }
                slider.value = 0.5 + 0.01 * (moves++ % 200);
                slider.dispatchEvent(new Event('input'));
                requestAnimationFrame(move);
            };
            requestAnimationFrame(move);
        })""")
    print(f"painted by software: the first picture after {first:.2f} s; {rate:.0f} pictures a second while γ moves, at p = 64, C = 10, N = 20")
    assert first < 10, f"the first picture took {first:.1f} s"
    assert rate > 10, f"only {rate:.1f} pictures a second"
    for n in (1, 10, 50):
        took = page.js("""const draw = (gamma) => unhingedDraw('unconstrained', {p: 512, C: 100, N: arguments[0], gamma}, iterated);
            draw(1); // the initial state
            const start = performance.now();
            for (const gamma of [0.9, 1.1, 1.9]) draw(gamma);
            return (performance.now() - start) / 3000""", n)
        print(f"p = 512, C = 100, N = {n}: another γ's picture takes {took:.2f} s")


def check(page, address):
    assert size <= explorer.LIMIT, f"the page loads {size} bytes"
    check_speed(page, address)
    page.screenshot("explorer.png", "header")
    names = page.js("return scenes.map(s => s.id)")
    check_numbers(page)
    check_iteration(page)
    check_links(page)
    check_moves(page, names)
    check_refit(page)
    check_phone(page, names)
    for place in (address, f"file://{SITE}"):
        check_frame(page, place)
    opened(page, address + "/index.html")
    check_axe(page, names)

    scene(page, "#unconstrained")
    page.js("location.hash = '#unequal?C=10&R=9'")  # R may be 8 at most
    browser.wait("the error of R = 9", lambda: page.js("return document.getElementById('answer').className === 'error'"), 10)
    left = page.js("return [document.querySelectorAll('#panels canvas:not(#cosines *)').length, document.getElementById('csv').disabled]")
    assert left == [0, True], f"beside an error there are {left[0]} charts, and the data are refused: {left[1]}"
    opened(page, f"file://{SITE}/index.html")
    assert page.js(STATE)[1], "as a file it shows nothing"


if not browser.left_out():
    size = explorer.build(SITE)
    print(f"the explorer is {size / 1e6:.2f} MB packed")
    browser.check_pages("explorer", SITE, check)
