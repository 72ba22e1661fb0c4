// JupyterLab looks for `data-lm-suppress-shortcuts` on the element that has the focus, not on those
// around it: with the focus on a part of a widget, `a` would insert a cell and `x` cut it.

/** Keep JupyterLab's shortcuts from every part of a widget that gets the focus. */
export function keepShortcutsOut(root) {
  root.addEventListener("focusin", ({ target }) => {
    target.setAttribute("data-lm-suppress-shortcuts", "true");
  });
}
