// The list of instructions: a field above the table leaves the rows that have its words.

function filterTable() {
  const label = document.querySelector("p.vtb-filter");
  const table = document.querySelector("table.vtb-instructions");
  if (!label || !table) return;
  const rows = [...table.tBodies[0].rows].map((row) => [row, row.textContent.toLowerCase()]);
  const field = Object.assign(document.createElement("input"), { type: "search", id: "vtb-filter" });
  field.autocomplete = "off";
  field.spellcheck = false;
  const name = Object.assign(document.createElement("label"), { htmlFor: field.id });
  name.textContent = label.textContent;
  const count = document.createElement("output");
  count.htmlFor = field.id;
  label.replaceChildren(name, field, count);
  const show = () => {
    const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const [row, text] of rows) {
      row.hidden = !words.every((word) => text.includes(word));
      if (!row.hidden) shown += 1;
    }
    count.value = `${shown} / ${rows.length}`;
  };
  field.addEventListener("input", show);
  show();
}

// What scrolls sideways must be reachable with the keyboard.
function reachScrolling() {
  for (const box of document.querySelectorAll("div.highlight pre, .vtb-chart, .output pre")) {
    if (box.scrollWidth > box.clientWidth) box.tabIndex = 0;
  }
}

// What the theme and Sphinx leave unsaid for a screen reader: which part of the contents a button
// opens, and that the lines of a long signature are no list of definitions.
function nameForReaders() {
  for (const summary of document.querySelectorAll(".bd-sidebar-primary details > summary")) {
    const entry = summary.closest("li")?.querySelector("a");
    if (entry) summary.setAttribute("aria-label", entry.textContent.trim());
  }
  for (const lines of document.querySelectorAll("dt.sig dl")) {
    const box = Object.assign(document.createElement("div"), { className: "sig-lines" });
    for (const line of lines.children) {
      const row = document.createElement("div");
      row.append(...line.childNodes);
      box.append(row);
    }
    lines.replaceWith(box);
  }
}

// From a file, the browser gives a page no other page: search shows titles, not excerpts.
if (location.protocol === "file:" && typeof DOCUMENTATION_OPTIONS !== "undefined") {
  DOCUMENTATION_OPTIONS.SHOW_SEARCH_SUMMARY = false;
}

nameForReaders();
filterTable();
addEventListener("load", reachScrolling);
