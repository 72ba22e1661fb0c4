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

filterTable();
addEventListener("load", reachScrolling);
