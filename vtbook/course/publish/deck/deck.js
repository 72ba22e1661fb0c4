// Starts reveal.js; keeps keys of widgets and folds from turning the slide; measures the slides.

const WIDTH = 1280;
const HEIGHT = 720;
const MOVING = /^(Arrow|Page|Home|End| $|Enter|Spacebar)/;

// A browser without a window may draw no frame before it prints, and reveal.js waits for frames.
if (/print-pdf/.test(location.search)) {
  window.requestAnimationFrame = (f) => setTimeout(() => f(performance.now()), 10);
}

Reveal.initialize({
  width: WIDTH,
  height: HEIGHT,
  margin: 0,
  center: false,
  hash: true,
  progress: true,
  controls: true,
  slideNumber: "c/t",
  transition: "none",
  backgroundTransition: "none",
  viewDistance: 1000,
  mobileViewDistance: 1000,
  pdfSeparateFragments: false,
  pdfMaxPagesPerSlide: 1,
  scrollActivationWidth: null,
  plugins: [RevealNotes],
});

// Keys go to what has the focus: the arrows of a widget, the space bar on a button or a fold.
document.querySelector(".slides").addEventListener("keydown", (event) => {
  const at = event.target;
  const inWidget = at.closest(".vtb, .vtbook-widget");
  if (inWidget && event.key === "Escape") {
    at.blur();
    event.stopPropagation();
  } else if (MOVING.test(event.key) && inWidget) event.stopPropagation();
  else if (/^( |Enter)$/.test(event.key) && at.closest("summary, button, a")) event.stopPropagation();
});

// A widget on a slide that was not shown could not measure itself.
Reveal.on("slidechanged", () => {
  document.activeElement?.blur?.();
  dispatchEvent(new Event("resize"));
});

const pause = (ms) => new Promise((done) => setTimeout(done, ms));

/** Wait until each widget has taken the place of its fallback. */
async function widgetsAlive() {
  const waiting = () =>
    [...document.querySelectorAll(".vtbook-widget")].some(
      (host) => !host.querySelector(".vtb[data-vtb-theme]"),
    );
  for (let n = 0; n < 200 && waiting(); n++) await pause(50);
  await pause(200);
}

/** How far each slide, its fragments shown, reaches past the page, in pixels of the page. */
async function vtbookCheck() {
  await widgetsAlive();
  const found = [];
  for (const section of Reveal.getSlides()) {
    const { h, v } = Reveal.getIndices(section);
    Reveal.slide(h, v);
    while (Reveal.nextFragment());
    await pause(20);
    let right = Math.max(0, section.scrollWidth - WIDTH);
    for (const block of section.querySelectorAll("pre, table, figure")) {
      if (block.closest(".vtb, details")) continue;
      right = Math.max(right, block.scrollWidth - block.clientWidth - 1);
    }
    found.push({
      heading: section.getAttribute("aria-label"),
      cells: section.dataset.cells.split(" "),
      down: Math.max(0, section.scrollHeight - HEIGHT),
      right,
      height: section.scrollHeight,
    });
  }
  Reveal.slide(0, 0);
  return found;
}

if (/[?&]check/.test(location.search)) {
  Reveal.on("ready", async () => {
    const report = document.createElement("script");
    report.type = "application/json";
    report.textContent = JSON.stringify(await vtbookCheck()).replaceAll("<", "\\u003c");
    report.id = "vtbook-check";
    document.body.append(report);
  });
}

// `vtbook slides --serve`: show what was written since.
if (VTBOOK_VERSION_AT) {
  let version = null;
  setInterval(async () => {
    try {
      const now = await (await fetch(VTBOOK_VERSION_AT)).text();
      if (version !== null && now !== version) location.reload();
      version = now;
    } catch {
      // The server has ended; the slides go on.
    }
  }, 1000);
}
